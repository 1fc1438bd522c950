// What was used of language models, for people.
#pragma once

#include <string>

#include <sallyport/json.h>

namespace sallyport::host::cli {

/// `$0.0123` from the member `cost_usd`; `<$0.0001` for what would be shown as nothing and is not.
[[nodiscard]] std::string costText(const json::Object& totals);

/// `12 requests (1 failed), 3400 input tokens (1200 cached), 560 output tokens, $0.0123`.
[[nodiscard]] std::string usageText(const json::Object& totals);

}  // namespace sallyport::host::cli
