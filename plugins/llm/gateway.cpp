#include "gateway.h"

#include <sallyport/errors.h>

#include "llm_call.h"

namespace sallyport::plugins::llm {

namespace {

/// How json::refusal names that a limit was exceeded.
constexpr std::string_view tooManyValues = "too_many_members";

}  // namespace

Reply Gateway::answer(const Call& call, const Asking& asking) {
    auto llmCall = std::make_shared<LlmCall>(*this, call, asking);
    try {
        if (auto translation = readAtOnce(call, asking)) {
            auto providers = candidates(*translation);
            llmCall->use(std::move(translation), std::move(providers));
        }
    } catch (const RequestError& error) {
        return asking.refusal(error);
    }
    return Reply::deferred(
        [llmCall = std::move(llmCall)](const Promise& promise) { llmCall->start(promise); });
}

/// Null for a request of which a loop finds that it takes long.
std::unique_ptr<Translation> Gateway::readAtOnce(const Call& call, const Asking& asking) const {
    json::Limits limits = call.jsonLimits();
    if (call.body().size() > loopBody || limits.values <= loopValues) {
        return asking.read(call, limits);
    }
    limits.values = loopValues;
    try {
        return asking.read(call, limits);
    } catch (const RequestError& error) {
        if (error.code() != tooManyValues) {
            throw;
        }
        return nullptr;
    }
}

std::vector<Candidate> Gateway::candidates(const Translation& translation) const {
    const auto& asked = translation.model();
    std::optional<std::string> model;
    if (asked) {
        model = parts_.models.resolve(*asked);
    }
    std::vector<Candidate> found;
    bool any = false;
    bool unpriced = false;
    for (const auto& state : providers_) {
        const Provider& provider = state->provider;
        if (!translation.fits(provider.type)) {
            continue;
        }
        any = true;
        const auto name = model ? provider.models.nameOf(*model) : std::optional(provider.model);
        if (!name || (name->empty() && translation.needsModel())) {
            continue;
        }
        if (isPriced(provider, translation, *name)) {
            found.push_back({state.get(), *name});
        } else {
            unpriced = true;
        }
    }
    if (!any) {
        throw unavailable("no_provider", "no provider that speaks this API is configured");
    }
    if (found.empty() && unpriced) {
        throw RequestError(403, "model_not_priced", "jobs have a limit on cost, and this model has no price");
    }
    if (found.empty() && !asked) {
        throw invalidField("model", "is required: no provider has a model of its own");
    }
    if (found.empty()) {
        throw RequestError(404, "model_not_found", "no provider serves this model");
    }
    return found;
}

bool Gateway::isPriced(const Provider& provider, const Translation& translation,
                       const std::string& model) const {
    return !options_.requirePrices || !translation.needsModel() || provider.type == ProviderType::echo ||
           parts_.prices.find(model);
}

void Gateway::examineKeys() {
    for (const auto& state : providers_) {
        try {
            keys_.examine(state->provider);
        } catch (const NoKey& error) {
            parts_.host.log().error("the key of a provider cannot be used",
                                    {{"provider", state->provider.name}, {"reason", error.what()}});
        }
    }
}

void Gateway::expire() {
    queue_.expire(std::chrono::steady_clock::now());
    tasks_.retry();
}

void Gateway::forget(const JobId& job) {
    parts_.ledger.forget(job);
    for (const auto& state : providers_) {
        state->echo.forget(job);
    }
}

void Gateway::enter(const std::shared_ptr<LlmCall>& call) {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
        throw unavailable("stopping", "the gateway is stopping; try again in a moment");
    }
    calls_.emplace(call.get(), call);
}

void Gateway::leave(const LlmCall* call) {
    const std::lock_guard lock(mutex_);
    calls_.erase(call);
}

void Gateway::stop() {
    std::map<const LlmCall*, std::weak_ptr<LlmCall>> left;
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        left.swap(calls_);
    }
    queue_.close();
    for (const auto& [address, weak] : left) {
        if (const auto call = weak.lock()) {
            call->stop();
        }
    }
}

std::optional<std::string> Gateway::trouble() const {
    const auto now = std::chrono::steady_clock::now();
    std::string names;
    for (const auto& state : providers_) {
        if (state->breaker.state(now) != CircuitBreaker::State::closed) {
            names += (names.empty() ? "" : ", ") + state->provider.name;
        }
    }
    std::string trouble =
        names.empty() ? "" : "not asked for now, because calls failed: " + names + "; the log says why";
    if (const std::string keys = keys_.trouble(); !keys.empty()) {
        trouble += (trouble.empty() ? "" : "; ") + keys;
    }
    return trouble.empty() ? std::nullopt : std::optional(trouble);
}

}  // namespace sallyport::plugins::llm
