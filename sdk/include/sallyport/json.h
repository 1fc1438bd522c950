// Reading JSON (RFC 8259) without losing what was written.
//
// Answers are built with Poco::JSON. Requests are read with this, because Poco's tree forgets how a
// number was spelled, and a door must store and relay what was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/export.h>

namespace sallyport::json {

/// The text is no JSON, is nested too deep, or is not UTF-8. what() says so and where, in words that
/// may reach the client.
class SALLYPORT_API ParseError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
    ~ParseError() override;
};

/// How deep objects and arrays may nest where a caller does not say.
constexpr std::size_t defaultDepth = 64;

enum class Kind { null, boolean, number, string, array, object };

/// "null", "a boolean", "a number", "a string", "an array" or "an object": for sentences.
[[nodiscard]] const char* describe(Kind kind);

class Object;

/// One JSON value: its kind, and the bytes it was written with. It refers to the parsed text, which
/// must outlive it. [any thread; immutable]
class Value {
public:
    Value(Kind kind, std::string_view raw) : kind_(kind), raw_(raw) {}

    /// Reads a whole document. Numbers are kept as written, whatever their precision; one beyond the range
    /// of a double is refused, as is a `\u` escape that is half of a surrogate pair.
    /// @throws ParseError
    [[nodiscard]] static Value parse(std::string_view text, std::size_t maxDepth = defaultDepth);

    [[nodiscard]] Kind kind() const noexcept { return kind_; }

    /// Exactly the bytes of the value, without surrounding white space.
    [[nodiscard]] std::string_view raw() const noexcept { return raw_; }

    /// The decoded text of a string; nothing for any other kind.
    [[nodiscard]] std::optional<std::string> string() const;
    /// The value of `true` or `false`; nothing for any other kind.
    [[nodiscard]] std::optional<bool> boolean() const;
    /// An integer written without fraction and exponent, if it fits; nothing otherwise.
    [[nodiscard]] std::optional<std::int64_t> integer() const;
    /// A number as the nearest double; nothing for any other kind or beyond its range.
    [[nodiscard]] std::optional<double> number() const;
    /// The elements of an array; empty for any other kind.
    [[nodiscard]] std::vector<Value> elements() const;
    /// The members of an object; empty for any other kind.
    [[nodiscard]] Object object() const;

    /// The same value without white space between tokens, on one line.
    [[nodiscard]] std::string compact() const;

private:
    Kind kind_;
    std::string_view raw_;
};

/// The members of a JSON object, in the order written, with accessors for request bodies that throw
/// `422 invalid_field` (RequestError) naming the field. Members nobody asks for are ignored; one that
/// is asked for and stands there twice is refused. `null` counts as absent for the optional ones.
/// It refers to the parsed text, which must outlive it. [any thread; immutable]
class Object {
public:
    struct Member {
        std::string name;
        Value value;
    };

    explicit Object(std::vector<Member> members) : members_(std::move(members)) {}

    [[nodiscard]] const std::vector<Member>& members() const& noexcept { return members_; }
    /// A loop over the members of a temporary would outlive it.
    const std::vector<Member>& members() const&& = delete;

    /// The last member of that name, or nothing. Never throws; for data whose shape is free.
    [[nodiscard]] const Value* find(std::string_view name) const;

    /// Required members.
    [[nodiscard]] const Value& required(std::string_view name) const;
    [[nodiscard]] std::string string(std::string_view name) const;
    [[nodiscard]] bool boolean(std::string_view name) const;
    [[nodiscard]] std::uint32_t unsigned32(std::string_view name) const;

    /// Optional members: absent or null gives nothing.
    [[nodiscard]] const Value* optional(std::string_view name) const;
    [[nodiscard]] std::optional<std::string> optionalString(std::string_view name) const;
    [[nodiscard]] std::optional<bool> optionalBoolean(std::string_view name) const;

private:
    std::vector<Member> members_;
};

/// The text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace sallyport::json
