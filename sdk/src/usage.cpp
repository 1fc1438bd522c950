#include <sallyport/usage.h>

namespace sallyport {

void addTotals(Poco::JSON::Object& json, const UsageTotals& totals) {
    json.set("requests", totals.requests);
    json.set("failed", totals.failed);
    json.set("input_tokens", totals.inputTokens);
    json.set("output_tokens", totals.outputTokens);
    json.set("cache_read_input_tokens", totals.cacheReadTokens);
    json.set("cache_creation_input_tokens", totals.cacheWriteTokens);
    // Exact up to nine million dollars.
    json.set("cost_usd", static_cast<double>(totals.costNano) / 1e9);
}

}  // namespace sallyport
