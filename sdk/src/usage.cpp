#include <sallyport/usage.h>

namespace sallyport {

void addTotals(json::Writer& json, const UsageTotals& totals) {
    json.member("requests", totals.requests);
    json.member("failed", totals.failed);
    json.member("input_tokens", totals.inputTokens);
    json.member("output_tokens", totals.outputTokens);
    json.member("cache_read_input_tokens", totals.cacheReadTokens);
    json.member("cache_creation_input_tokens", totals.cacheWriteTokens);
    // Exact up to nine million dollars.
    json.member("cost_usd", static_cast<double>(totals.costNano) / 1e9);
}

}  // namespace sallyport
