// What a worker asks a model, in the form of the endpoints llm/complete and llm/complete_with_tools.
//
// A conversation is long, and nearly all of it is text, images and schemas that go on as they are. They stay
// where they were written: what is kept of them here are spans of the body, checked to be well-formed JSON,
// and a dialect copies those bytes into the provider's body. Nothing is decoded to be printed again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/json.h>

namespace sallyport::plugins::llm {

/// The bytes of a well-formed JSON value in the body; those of a string have their quotes. Empty when the
/// field is absent.
using Raw = std::string_view;

enum class ChatRole { system, user, assistant, tool };

/// A part of a message's content.
struct ContentPart {
    enum class Kind { text, image };
    Kind kind = Kind::text;
    Raw value;   ///< string: the text, or the image's URL
    Raw detail;  ///< string, of an image: how closely to look at it
};

/// A tool call that an assistant made earlier in the conversation.
struct PastToolCall {
    Raw id;         ///< string
    Raw name;       ///< string
    Raw arguments;  ///< an object as a rule; a worker may send any value
};

struct ChatMessage {
    ChatRole role = ChatRole::user;
    Raw content;                       ///< string
    std::vector<ContentPart> parts{};  ///< without `content`, which goes first when there are any
    Raw toolCallId{};                  ///< string
    Raw name{};                        ///< string
    std::vector<PastToolCall> toolCalls{};
    /// A tool's result for which no earlier message has a call; providers reject those, so `orphanText` is
    /// sent in its place, as a user.
    bool orphan = false;
};

struct ToolDefinition {
    Raw name;         ///< string
    Raw description;  ///< string
    Raw parameters;   ///< a JSON Schema
};

enum class ToolChoice { automatic, required, none };

/// A request. It refers to the body it was read from, which must outlive it. [any thread; immutable]
struct ChatRequest {
    std::vector<ChatMessage> messages{};
    std::optional<std::string> model{};
    std::optional<std::uint32_t> maxTokens{};
    Raw temperature{};  ///< number
    std::vector<Raw> stopSequences{};
    bool withTools = false;
    std::vector<ToolDefinition> tools{};
    std::optional<ToolChoice> toolChoice{};
    std::size_t size = 0;  ///< of the body
    /// A guess at the prompt's size, for a call whose provider never says: a token for four bytes of text.
    std::int64_t estimatedInput = 0;
};

/// Reads the body of `llm/complete`, or of `llm/complete_with_tools`.
///
/// The whole text is checked to be JSON, the parts that are of no interest too. @throws RequestError 400 if
/// it is not, 422 naming the field (`messages[3].role`) if it does not have the shape.
[[nodiscard]] ChatRequest parseChatRequest(std::string_view body, bool withTools,
                                           const json::Limits& limits = {});

/// What an orphaned tool result says as a user's message, as a JSON string: [Tool `NAME` returned: CONTENT].
[[nodiscard]] std::string orphanText(const ChatMessage& message);

/// The decoded text of a span that is a string; empty for an absent one.
[[nodiscard]] std::string decoded(Raw string);

/// An image's URL taken apart.
struct ImageSource {
    std::string mediaType;      ///< `image/png`; empty when the image is not in the URL itself
    std::string_view base64{};  ///< the data, as it stands inside the JSON string; empty like the type
};

/// Nothing if the URL, a JSON string, is neither an http(s) address nor a base64 data URL.
[[nodiscard]] std::optional<ImageSource> imageSource(Raw url);

/// For a dialect that has to take images apart.
/// @param addresses whether the provider fetches http(s) addresses. @throws RequestError 422 naming the image
void requireImages(const ChatRequest& request, bool addresses);

}  // namespace sallyport::plugins::llm
