#include "llm_plugin.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/ext/io.h>
#include <sallyport/jobs.h>

#include "money.h"
#include "provider_examination.h"
#include "upstream/http_upstream.h"
#include "usage_routes.h"

namespace sallyport::plugins::llm {

namespace {

constexpr std::chrono::seconds expiryInterval{1};

constexpr RouteOptions asking{.run = Run::loop, .loopBody = loopBody};

/// How long records of calls wait for others. A power failure may lose so much of the accounts.
constexpr std::chrono::milliseconds recordDelay{100};

std::int64_t readCost(const Settings& settings) {
    const std::string text = settings.text("limit.cost");
    const auto cost = nanoDollars(text);
    if (!cost) {
        throw std::invalid_argument("llm.limit.cost is " + text + ", expected dollars such as 2.50");
    }
    return *cost;
}

JobLimits readLimits(const Settings& settings) {
    return {.requests = settings.integer("limit.requests"),
            .inputTokens = settings.integer("limit.input_tokens"),
            .outputTokens = settings.integer("limit.output_tokens"),
            .costNano = readCost(settings),
            .requestsPerMinute = settings.integer("limit.requests_per_minute")};
}

GatewayOptions readOptions(const Settings& settings) {
    return {.retries = static_cast<unsigned>(settings.integer("retry.max")),
            .baseDelay = settings.duration("retry.base_delay"),
            .greatestDelay = settings.duration("retry.max_delay"),
            .breakerFailures = static_cast<int>(settings.integer("breaker.failures")),
            .breakerCooldown = settings.duration("breaker.cooldown"),
            .queue = {.slots = static_cast<std::size_t>(settings.integer("concurrency")),
                      .perJob = static_cast<std::size_t>(settings.integer("limit.concurrency")),
                      .places = static_cast<std::size_t>(settings.integer("queue.max")),
                      .bytes = settings.size("queue.memory")},
            .patience = settings.duration("queue.timeout"),
            .keepKeys = settings.duration("key_cache"),
            .logContent = settings.boolean("log_content"),
            .requirePrices = readCost(settings) > 0};
}

EchoScript readScript(const Provider& provider) {
    if (provider.script.empty()) {
        return {};
    }
    const std::string key = "llm.provider." + provider.name + ".script";
    std::ifstream file(provider.script);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file.is_open() || file.bad()) {
        throw std::invalid_argument(key + " is " + provider.script + ", which cannot be read");
    }
    try {
        return EchoScript::parse(text);
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(key + ": " + error.what());
    }
}

std::vector<std::unique_ptr<ProviderState>> readStates(const Settings& settings,
                                                       const GatewayOptions& options) {
    std::vector<std::unique_ptr<ProviderState>> states;
    for (Provider& provider : readProviders(settings)) {
        EchoScript script = readScript(provider);
        states.push_back(std::make_unique<ProviderState>(std::move(provider), options, std::move(script)));
    }
    return states;
}

/// The sums of a job that is not over.
JobLedger::Source sourceOf(Host& host, const UsageReport& report) {
    return [&host, &report](const JobId& id) -> std::optional<UsageTotals> {
        const auto job = host.jobs().find(id);
        if (!job || isOver(job->state)) {
            return std::nullopt;
        }
        return report.total({.job = id});
    };
}

}  // namespace

void LlmPlugin::start(Host& host) {
    readSettings(host.settings());
    const GatewayOptions options = readOptions(host.settings());
    auto states = readStates(host.settings(), options);
    log_.emplace(host.store(), host.log());
    metrics_.emplace(host.require<Metrics>());
    report_.emplace(host.store());
    oldCalls_.emplace(host.store(), host.settings().integer("calls.keep_per_job"));
    retention_.emplace(host, *oldCalls_,
                       Retention::Options{.line = "old records of calls were deleted",
                                          .keep = host.settings().duration("calls.keep")});
    ledger_.emplace(readLimits(host.settings()), sourceOf(host, *report_));
    upstream_ = std::make_unique<HttpUpstream>(host.require<IoLoops>().loops(), host.log());
    gateway_ = std::make_unique<Gateway>(Gateway::Parts{.host = host,
                                                        .ledger = *ledger_,
                                                        .log = *log_,
                                                        .metrics = *metrics_,
                                                        .models = *models_,
                                                        .prices = *prices_,
                                                        .upstream = *upstream_},
                                         options, std::move(states));
    gateway_->examineKeys();
    log_->delayBy([this](std::function<void()> task) { upstream_->after(recordDelay, std::move(task)); });
    host.bus().subscribe<JobFinished>([this](const JobFinished& message) { gateway_->forget(message.job); });
    host.every(expiryInterval, [this] { gateway_->expire(); });
    host.provide<JobUsage>(jobUsage(*log_, *report_));

    Routes& routes = host.routes();
    addUsageRoutes(routes, *log_, *report_);
    addChat(routes, "/llm/complete", false);
    addChat(routes, "/llm/complete_with_tools", true);
    addNative(routes, "/openai/v1/chat/completions", NativeEndpoint::chatCompletions);
    addNative(routes, "/openai/v1/responses", NativeEndpoint::responses);
    addNative(routes, "/openai/v1/embeddings", NativeEndpoint::embeddings);
    addNative(routes, "/anthropic/v1/messages", NativeEndpoint::messages);
    addNative(routes, "/anthropic/v1/messages/count_tokens", NativeEndpoint::countTokens);
    addModels(routes, "/openai/v1/models", ProviderType::openai);
    addModels(routes, "/anthropic/v1/models", ProviderType::anthropic);
}

void LlmPlugin::stop() {
    gateway_->stop();
    log_->delayBy(nullptr);
    upstream_.reset();
}

std::optional<std::string> LlmPlugin::trouble() const {
    auto trouble = gateway_->trouble();
    return trouble ? trouble : log_->trouble();
}

void LlmPlugin::examine(Examination& examination) {
    const Settings& settings = examination.settings();
    std::vector<Provider> providers;
    try {
        readSettings(settings);
        static_cast<void>(readLimits(settings));
        providers = readProviders(settings);
        if (examination.hasDaemonsRights()) {
            std::for_each(providers.begin(), providers.end(), readScript);
        }
    } catch (const std::invalid_argument& wrong) {
        examination.fail("configuration",
                         std::string(wrong.what()) + "; the plugin llm does not start with that");
        return;
    }
    examineProviders(examination, providers);
}

void LlmPlugin::readSettings(const Settings& settings) {
    chat_ = {.defaultMaxTokens = static_cast<std::uint32_t>(settings.integer("max_tokens")),
             .maxTokensName = settings.text("max_tokens_name"),
             .cachePrompts = settings.boolean("cache_prompts")};
    if (chat_.maxTokensName != "max_tokens" && chat_.maxTokensName != "max_completion_tokens") {
        throw std::invalid_argument("llm.max_tokens_name is " + chat_.maxTokensName +
                                    ", expected max_tokens or max_completion_tokens");
    }
    forwarded_ = settings.list("forward_headers");
    models_.emplace(Models::Rules{.allowed = settings.list("allowed_models"),
                                  .aliases = settings.list("aliases"),
                                  .dropped = settings.list("drop_parameters")});
    try {
        prices_.emplace(settings.list("prices"));
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(std::string("llm.prices ") + error.what());
    }
}

void LlmPlugin::addChat(Routes& routes, std::string_view path, bool withTools) {
    const Asking chat{[this, withTools](const Call& call, const json::Limits& limits) {
                          return std::make_unique<ChatTranslation>(call, limits, withTools, chat_);
                      },
                      &Reply::error};
    routes.worker(
        "POST", path, [this, chat](const Call& call) { return gateway_->answer(call, chat); }, asking);
}

/// Errors of the gateway in the words of the provider's API, because that is what the client understands.
void LlmPlugin::addNative(Routes& routes, std::string_view path, NativeEndpoint endpoint) {
    const Asking native{
        [this, endpoint](const Call& call, const json::Limits& limits) {
            return std::make_unique<NativeTranslation>(call, limits, endpoint, forwarded_);
        },
        [type = providerType(endpoint)](const RequestError& error) { return nativeRefusal(type, error); }};
    routes.worker(
        "POST", path, [this, native](const Call& call) { return gateway_->answer(call, native); }, asking);
}

void LlmPlugin::addModels(Routes& routes, std::string_view path, ProviderType type) {
    const Asking models{[this, type](const Call& call, const json::Limits& /*limits*/) {
                            const std::string_view model = call.param("model");
                            return std::make_unique<ModelsTranslation>(
                                call, type, model.empty() ? std::nullopt : std::optional(std::string(model)),
                                *models_, forwarded_);
                        },
                        [type](const RequestError& error) { return nativeRefusal(type, error); }};
    const auto handler = [this, models](const Call& call) { return gateway_->answer(call, models); };
    routes.worker("GET", path, handler, {.run = Run::loop});
    routes.worker("GET", std::string(path) + "/{model...}", handler, {.run = Run::loop});
}

}  // namespace sallyport::plugins::llm
