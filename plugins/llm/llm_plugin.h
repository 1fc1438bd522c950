// Models for workers, without the keys.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/plugin.h>
#include <sallyport/retention.h>

#include "call_log.h"
#include "chat_translation.h"
#include "gateway.h"
#include "job_ledger.h"
#include "models.h"
#include "native_translation.h"
#include "old_calls.h"
#include "prices.h"
#include "upstream/upstream.h"
#include "usage_report.h"

namespace sallyport::plugins::llm {

constexpr std::int64_t aDay = std::int64_t{24} * 60 * 60 * 1000;
constexpr std::int64_t aMillion = 1'000'000;

inline constexpr Setting llmSettings[] = {
    {"providers", SettingKind::list, "",
     "Providers in the order in which they are tried; none: the built-in echo, which repeats what it is "
     "told"},
    {"provider.*.type", SettingKind::text, "", "What it speaks: openai, anthropic, ollama or echo"},
    {"provider.*.base_url", SettingKind::text, "",
     "Its address; empty: https://api.openai.com/v1, https://api.anthropic.com or http://127.0.0.1:11434"},
    {"provider.*.model", SettingKind::text, "", "The model for requests that name none"},
    {"provider.*.models", SettingKind::list, "",
     "Models it serves: MODEL, or MODEL=NAME where it calls it otherwise; a * at the end of MODEL stands for "
     "anything; not set: all"},
    {"provider.*.key", SettingKind::text, "",
     "Where its key is: secret:NAME, secret:USER/NAME, env:NAME or file:PATH; empty: it needs none"},
    {"provider.*.ca_file", SettingKind::text, "",
     "Certificates (PEM) that its own must be signed by; empty: the system's"},
    {"provider.*.proxy", SettingKind::text, "",
     "Proxy to reach it through, http://[USER:PASSWORD@]HOST:PORT; empty: what http_proxy, https_proxy and "
     "no_proxy say"},
    {"provider.*.script", SettingKind::text, "",
     "Of an echo: a file of answers that it plays, a line of JSON each"},
    {"aliases", SettingKind::list, "", "Other names for models: ALIAS=MODEL"},
    {"allowed_models", SettingKind::list, "",
     "Models and aliases that jobs may ask for; a * at the end stands for anything; not set: all"},
    {"drop_parameters", SettingKind::list, "",
     "Parameters that a model rejects and that are left out: MODEL=PARAMETER+PARAMETER"},
    {"max_tokens", SettingKind::integer, "4096",
     "Longest answer where a request does not say and the provider must be told", 1, aMillion},
    {"max_tokens_name", SettingKind::text, "max_tokens",
     "What openai providers call that: max_tokens, or max_completion_tokens for the newer models of OpenAI"},
    {"cache_prompts", SettingKind::boolean, "true",
     "Whether anthropic providers are told to cache tools and system prompt (llm/complete alone)"},
    {"forward_headers", SettingKind::list, "anthropic-version, anthropic-beta, openai-beta",
     "Headers of a worker that a provider may see; all others stay here"},
    {"retry.max", SettingKind::integer, "3", "Times that a provider is tried again before the next one is", 0,
     100},
    {"retry.base_delay", SettingKind::duration, "1s", "Delay before the first retry; it doubles each time", 1,
     aDay},
    {"retry.max_delay", SettingKind::duration, "30s",
     "Longest delay; a provider that asks for more is not waited for", 1, aDay},
    {"breaker.failures", SettingKind::integer, "5",
     "Failures in a row after which a provider is left alone for a while", 1, aMillion},
    {"breaker.cooldown", SettingKind::duration, "30s", "That while", 1, aDay},
    {"timeout.connect", SettingKind::duration, "10s", "Longest time to reach a provider", 1, aDay},
    {"timeout.first_byte", SettingKind::duration, "2m", "Longest time until an answer begins", 1, aDay},
    {"timeout.idle", SettingKind::duration, "1m", "Longest pause within an answer", 1, aDay},
    {"timeout.total", SettingKind::duration, "15m", "Longest time for an answer", 1, aDay},
    {"max_response", SettingKind::size, "32MiB", "Largest answer", 1024},
    {"concurrency", SettingKind::integer, "1024",
     "Calls to providers under way at once; no job ever has more than half of them", 1, aMillion},
    {"queue.max", SettingKind::integer, "4096", "Calls that may wait for their turn; more get 503", 1,
     aMillion},
    {"queue.memory", SettingKind::size, "64MiB", "Bodies of the calls that wait; more get 503", 1024},
    {"queue.timeout", SettingKind::duration, "1m", "Longest wait for a turn", 1, aDay},
    {"key_cache", SettingKind::duration, "1m",
     "How long a key is used before it is read again; each reading from the vault is audited", 0, aDay},
    {"prices", SettingKind::list, "",
     "Dollars for a million tokens: MODEL=INPUT/OUTPUT[/CACHE_READ[/CACHE_WRITE]]"},
    {"limit.requests", SettingKind::integer, "0", "Calls that a job may make; 0: any number"},
    {"limit.input_tokens", SettingKind::integer, "0", "Tokens that a job may send; 0: any number"},
    {"limit.output_tokens", SettingKind::integer, "0", "Tokens that a job may get; 0: any number"},
    {"limit.cost", SettingKind::text, "0",
     "Dollars that a job may spend, such as 2.50; models without a price are then refused; 0: any amount"},
    {"limit.requests_per_minute", SettingKind::integer, "0",
     "Calls that a job may make in a minute; 0: any number", 0, aMillion},
    {"limit.concurrency", SettingKind::integer, "64",
     "Calls of one job under way at once, more wait for their turn (an agent with sub-agents has tens); 0: "
     "what its share of llm.concurrency allows",
     0, aMillion},
    {"log_content", SettingKind::boolean, "false",
     "Whether what is asked and answered is kept with the record of each call (up to 256 KiB each)"},
    {"calls.keep", SettingKind::duration, "0",
     "A record so old is deleted, and summed up by day, user and model; 0: when its job is (jobs.keep)", 0,
     36'500 * aDay},
    {"calls.keep_per_job", SettingKind::integer, "100000",
     "Records of one job; older ones are deleted, and summed up by day, user and model; 0: any number", 0,
     1'000'000'000},
};

/// Workers: `/llm/complete` and `/llm/complete_with_tools`, and the providers' own APIs under `/openai/v1`
/// and
/// `/anthropic/v1`. Operators: `/usage`. Other plugins: the service JobUsage.
class LlmPlugin final : public Plugin {
public:
    void start(Host& host) override;
    void stop() override;
    [[nodiscard]] std::optional<std::string> trouble() const override;
    void examine(Examination& examination) override;

private:
    void readSettings(const Settings& settings);
    void addChat(Routes& routes, std::string_view path, bool withTools);
    void addNative(Routes& routes, std::string_view path, NativeEndpoint endpoint);
    void addModels(Routes& routes, std::string_view path, ProviderType type);

    // The gateway uses all before it, and calls end only with the upstream.
    ChatOptions chat_;
    ForwardedHeaders forwarded_;
    std::optional<Models> models_;
    std::optional<Prices> prices_;
    std::optional<CallLog> log_;
    std::optional<CallMetrics> metrics_;
    std::optional<UsageReport> report_;
    std::optional<OldCalls> oldCalls_;
    std::optional<Retention> retention_;
    std::optional<JobLedger> ledger_;
    std::unique_ptr<Upstream> upstream_;
    std::unique_ptr<Gateway> gateway_;
};

}  // namespace sallyport::plugins::llm
