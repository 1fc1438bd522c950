// What the plugin finds when it looks its providers over.
#pragma once

#include <vector>

#include <sallyport/ext/examination.h>

#include "provider.h"

namespace sallyport::plugins::llm {

/// Their keys and, where the network may be used, whether they can be reached.
void examineProviders(Examination& examination, const std::vector<Provider>& providers);

}  // namespace sallyport::plugins::llm
