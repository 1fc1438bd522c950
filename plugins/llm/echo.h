// The built-in provider: answers with what it was asked, so that nothing else is needed for a first trial.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/job_id.h>

#include "chat.h"
#include "chat_request.h"
#include "native.h"

namespace sallyport::plugins::llm {

/// Replies that an echo plays, one a call and from the first one for each job: a file of JSON lines, each
/// `{"content":"…"}`, `{"tool_calls":[{"name","arguments","id"?}]}` or both. Empty lines and those that start
/// with `#` say nothing.
class EchoScript {
public:
    struct Line {
        std::optional<std::string> content{};
        std::vector<ToolCall> toolCalls{};
    };

    /// @throws std::invalid_argument with a sentence that names the line
    [[nodiscard]] static EchoScript parse(std::string_view text);

    [[nodiscard]] const std::vector<Line>& lines() const noexcept { return lines_; }

private:
    std::vector<Line> lines_;
};

/// Answers deterministically: the next line of the script, or, when there is none left, `[echo] ` and the
/// last user message. Usage is counted in words. [any thread]
class Echo {
public:
    static constexpr const char* modelName = "echo";

    explicit Echo(EchoScript script = {}) : script_(std::move(script)) {}

    [[nodiscard]] Completion answer(const JobId& job, const ChatRequest& request);
    /// The same for a request in a native shape. For countTokens only the usage is of interest.
    /// @throws RequestError 422 if there is no conversation in it, 404 for embeddings
    [[nodiscard]] Completion answer(const JobId& job, const NativeRequest& request);
    /// Lets go of what is remembered of a job.
    void forget(const JobId& job);

private:
    [[nodiscard]] Completion play(const JobId& job, const std::string& said, std::int64_t words);

    const EchoScript script_;
    std::mutex mutex_;
    std::map<JobId, std::size_t> played_;
};

/// An answer as a provider would stream it, word by word; a long one in two hundred pieces.
[[nodiscard]] std::vector<Delta> pieces(const Completion& completion);

// --- In the shape of a provider's API -------------------------------------------------------------------
// `id` makes the identifiers in it unique.

[[nodiscard]] std::string nativeAnswer(NativeEndpoint endpoint, const Completion& completion,
                                       const std::string& id);
/// A stream, an event an element.
/// @param withUsage whether one of chatCompletions ends with the usage; the others always do.
[[nodiscard]] std::vector<std::string> nativeStream(NativeEndpoint endpoint, const Completion& completion,
                                                    const std::string& id, bool withUsage);
/// The answer to `models`.
[[nodiscard]] std::string nativeModels(ProviderType type, const std::vector<std::string>& models);
/// The answer to `models/NAME`.
[[nodiscard]] std::string nativeModel(ProviderType type, const std::string& model);

}  // namespace sallyport::plugins::llm
