// Reading JSON (RFC 8259) without losing what was written.
//
// Answers are written with json_writer.h. Requests are read with this, or where they are large with
// json_reader.h: a tree such as Poco's forgets how a number was spelled, and a door must store and relay what
// was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/errors.h>
#include <sallyport/export.h>

namespace sallyport::json {

/// The text is no JSON, is nested too deep, or is not UTF-8. what() says so and where, in words that
/// may reach the client.
class SALLYPORT_API ParseError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
    ~ParseError() override;
};

/// The text holds more elements and members than was allowed. What follows that place was not looked at.
class SALLYPORT_API LimitExceeded : public ParseError {
public:
    using ParseError::ParseError;
    ~LimitExceeded() override;
};

/// What a request is answered whose body could not be read: `422 too_many_members` for LimitExceeded,
/// `400 invalid_json` for anything else.
[[nodiscard]] RequestError refusal(const ParseError& error);

/// How deep objects and arrays may nest where a caller does not say.
constexpr std::size_t defaultDepth = 64;
/// How many elements and members a text may have where a caller does not say.
constexpr std::size_t defaultValues = 1'000'000;

/// What a text may ask for. A value costs several times its bytes once it has been taken apart, as by
/// Value::object.
struct Limits {
    std::size_t depth = defaultDepth;    ///< objects and arrays within each other
    std::size_t values = defaultValues;  ///< elements of arrays and members of objects, all together
};

/// For texts that were let in before, maybe under other limits.
constexpr Limits unlimited{std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max()};

enum class Kind { null, boolean, number, string, array, object };

/// "null", "a boolean", "a number", "a string", "an array" or "an object": for sentences.
[[nodiscard]] const char* describe(Kind kind);

class Object;

/// One JSON value: its kind, and the bytes it was written with. It refers to the parsed text, which
/// must outlive it. [any thread; immutable]
class Value {
public:
    /// A value whose text is known to be of that kind, as `parse` makes them.
    Value(Kind kind, std::string_view raw) : kind_(kind), raw_(raw) {}

    /// Reads a whole document. Numbers are kept as written, whatever their precision; one beyond the range
    /// of a double is refused, as is a `\u` escape that is half of a surrogate pair.
    /// @throws ParseError, and LimitExceeded, which is one
    [[nodiscard]] static Value parse(std::string_view text, const Limits& limits = {});
    /// The same with a limit for the depth alone, and the default for what else there is.
    [[nodiscard]] static Value parse(std::string_view text, std::size_t maxDepth);

    /// What it is.
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
    /// One member.
    struct Member {
        std::string name;  ///< decoded
        Value value;       ///< refers to the parsed text
    };

    /// An object of these members, as Value::object makes them.
    explicit Object(std::vector<Member> members) : members_(std::move(members)) {}

    /// All members, in the order written.
    [[nodiscard]] const std::vector<Member>& members() const& noexcept { return members_; }
    /// A loop over the members of a temporary would outlive it.
    const std::vector<Member>& members() const&& = delete;

    /// The last member of that name, or nothing. Never throws; for data whose shape is free.
    [[nodiscard]] const Value* find(std::string_view name) const;

    /// A member that must be there, of whatever kind.
    [[nodiscard]] const Value& required(std::string_view name) const;
    /// The text of a member that must be a string.
    [[nodiscard]] std::string string(std::string_view name) const;
    /// The value of a member that must be `true` or `false`.
    [[nodiscard]] bool boolean(std::string_view name) const;
    /// The value of a member that must be an integer from 0 to 4294967295.
    [[nodiscard]] std::uint32_t unsigned32(std::string_view name) const;

    /// A member of whatever kind; nothing when it is absent or null.
    [[nodiscard]] const Value* optional(std::string_view name) const;
    /// The text of a member that must be a string if it is there; nothing when it is absent or null.
    [[nodiscard]] std::optional<std::string> optionalString(std::string_view name) const;
    /// The same for `true` or `false`.
    [[nodiscard]] std::optional<bool> optionalBoolean(std::string_view name) const;

private:
    std::vector<Member> members_;
};

/// The text as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace sallyport::json
