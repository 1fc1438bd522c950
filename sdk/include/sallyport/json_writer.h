// Writing JSON (RFC 8259) straight into a text.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sallyport::json {

/// Appends the text as a JSON string with its quotes, as quote() makes it. [any thread]
/// @param out  grows by what is appended. For a secret it must have the room already: a string that grows
///             leaves its beginning in memory.
/// @param text bytes that are not UTF-8 become U+FFFD.
void appendQuoted(std::string& out, std::string_view text);

/// How many bytes appendQuoted() appends for that text. [any thread]
[[nodiscard]] std::size_t quotedSize(std::string_view text);

/// Appends one JSON value to a text, member by member, without building a tree: commas, quotes and escapes
/// are its business, that objects and arrays are ended and names given is the caller's. Members and elements
/// stand in the order in which they were written; nothing is checked for being there twice.
///
/// ```cpp
/// std::string text;
/// json::Writer writer(text);
/// writer.beginObject().member("job_id", job.str()).member("done", false);
/// writer.key("events").beginArray();
/// for (const Event& event : events) {
///     writer.raw(event.json);
/// }
/// writer.endArray().endObject();
/// ```
/// [one thread at a time]
class Writer {
public:
    /// How deep objects and arrays may nest.
    static constexpr std::size_t mostDepth = 64;

    /// @param out  appended to, and outlives this.
    /// @param most bytes that `out` may have; what would go beyond throws std::length_error, and leaves `out`
    ///             with a part of the value.
    explicit Writer(std::string& out, std::size_t most = std::numeric_limits<std::size_t>::max()) noexcept
        : out_(out), most_(most) {}

    /// Begins an object. Its members follow. @throws std::length_error also when nested too deep.
    Writer& beginObject() { return begin('{'); }
    /// Ends the object that was begun last.
    Writer& endObject() { return end('}'); }
    /// Begins an array. Its elements follow. @throws std::length_error also when nested too deep.
    Writer& beginArray() { return begin('['); }
    /// Ends the array that was begun last.
    Writer& endArray() { return end(']'); }

    /// The name of the next member, whose value comes next.
    Writer& key(std::string_view name) {
        separate();
        quoted(name);
        put(":");
        named_ = true;
        return *this;
    }

    /// A string.
    Writer& string(std::string_view text) {
        separate();
        quoted(text);
        return *this;
    }
    /// A value that is JSON already. It goes in as it is.
    Writer& raw(std::string_view json) {
        separate();
        put(json);
        return *this;
    }
    /// `null`.
    Writer& null() { return raw("null"); }
    /// `true` or `false`.
    Writer& boolean(bool value) { return raw(value ? "true" : "false"); }
    /// An integer.
    template <std::integral T>
    Writer& integer(T value) {
        return raw(std::to_string(value));
    }

    /// A number, in the fewest digits that read back as the same; `null` where it is infinite or none.
    Writer& number(double value) {
        std::array<char, 32> digits{};
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
        return std::isfinite(value) ? raw({digits.data(), static_cast<std::size_t>(end - digits.data())})
                                    : null();
    }

    /// A member that is a string.
    Writer& member(std::string_view name, std::string_view text) { return key(name).string(text); }
    /// The same.
    Writer& member(std::string_view name, const char* text) { return key(name).string(text); }
    /// The same; `null` for nothing.
    Writer& member(std::string_view name, const std::optional<std::string>& text) {
        return text ? member(name, std::string_view(*text)) : key(name).null();
    }
    /// The same.
    Writer& member(std::string_view name, const std::string& text) {
        return member(name, std::string_view(text));
    }
    /// A member that is `true` or `false`.
    template <std::same_as<bool> T>
    Writer& member(std::string_view name, T value) {
        return key(name).boolean(value);
    }
    /// A member that is an integer.
    template <std::integral T>
    requires(!std::same_as<T, bool>) Writer& member(std::string_view name, T value) {
        return key(name).integer(value);
    }
    /// A member that is a number.
    Writer& member(std::string_view name, double value) { return key(name).number(value); }
    /// A member whose value is JSON already.
    Writer& rawMember(std::string_view name, std::string_view json) { return key(name).raw(json); }

private:
    Writer& begin(char bracket) {
        if (depth_ == mostDepth) {
            throw std::length_error("JSON is nested too deep");
        }
        separate();
        put({&bracket, 1});
        // The bit of the container that this one is in makes room for that of this one.
        begun_ <<= 1U;
        ++depth_;
        return *this;
    }
    Writer& end(char bracket) {
        put({&bracket, 1});
        begun_ = begun_ >> 1U | 1U;
        --depth_;
        return *this;
    }
    void separate() {
        if (named_) {
            named_ = false;
            return;
        }
        if ((begun_ & 1U) != 0) {
            put(",");
        }
        begun_ |= 1U;
    }
    void put(std::string_view text) {
        requireRoom(text.size());
        out_.append(text);
    }
    void quoted(std::string_view text) {
        requireRoom(text.size() + 2);
        appendQuoted(out_, text);
        requireRoom(0);  // escapes are longer than what they stand for
    }
    void requireRoom(std::size_t size) const {
        if (size > most_ || out_.size() > most_ - size) {
            throw std::length_error("JSON is larger than it may be");
        }
    }

    std::string& out_;
    const std::size_t most_;
    std::uint64_t begun_ = 0;  ///< the lowest bit: whether the innermost container has something in it
    std::size_t depth_ = 0;
    bool named_ = false;  ///< a name stands there, and its value comes next
};

}  // namespace sallyport::json
