#include "host/cli/usage_view.h"

#include <iomanip>
#include <locale>
#include <sstream>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

namespace {

/// ` (3 failed)`, or nothing for 0.
std::string remark(const json::Object& totals, const char* member, const char* word) {
    const std::int64_t count = numberOf(totals, member);
    return count == 0 ? std::string() : " (" + std::to_string(count) + ' ' + word + ')';
}

}  // namespace

std::string costText(const json::Object& totals) {
    const json::Value* const value = totals.find("cost_usd");
    const double cost = value == nullptr ? 0 : value->number().value_or(0);
    if (cost > 0 && cost < 0.0001) {
        return "<$0.0001";
    }
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << '$' << std::fixed << std::setprecision(4) << cost;
    return text.str();
}

std::string usageText(const json::Object& totals) {
    return std::to_string(numberOf(totals, "requests")) + " requests" + remark(totals, "failed", "failed") +
           ", " + std::to_string(numberOf(totals, "input_tokens")) + " input tokens" +
           remark(totals, "cache_read_input_tokens", "cached") + ", " +
           std::to_string(numberOf(totals, "output_tokens")) + " output tokens, " + costText(totals);
}

}  // namespace sallyport::host::cli
