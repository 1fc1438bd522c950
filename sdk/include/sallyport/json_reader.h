// Walking over a JSON text once, without building anything.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/json.h>

namespace sallyport::json {

/// Reads a JSON text (RFC 8259) front to back and gives out the bytes of the values that are asked for.
/// Whatever it steps over has been checked: grammar, escapes, UTF-8, limits. It keeps no copy, needs no
/// memory but a byte for each level of nesting, and stops at the first error. For bodies that are large, or
/// that hold many values of which few are wanted.
///
///     json::Reader reader(call.body(), call.jsonLimits());
///     reader.enterObject();
///     while (const auto name = reader.nextMember()) {
///         if (*name == "model") { model = reader.skip(); } else { reader.skip(); }
///     }
///     reader.end();
///
/// After each `nextMember` or `nextElement` that gave something, exactly one value must be read: with `skip`,
/// or with `enter…` and `next…` until the latter gives nothing. It refers to the text, which must outlive it.
/// [one thread at a time]
class Reader {
public:
    /// @throws ParseError if the text is not UTF-8
    explicit Reader(std::string_view text, const Limits& limits = {});

    // All of these throw ParseError where the text goes wrong, and LimitExceeded where it goes beyond a
    // limit.

    /// What comes next.
    [[nodiscard]] Kind kind();
    /// Steps over the next value, whatever it is. @return its bytes
    std::string_view skip();

    /// Steps into an object; only where `kind()` said that one comes next.
    void enterObject();
    /// The name of the next member, decoded, valid until the next one is asked for; nothing, and the object
    /// is left, after the last one.
    std::optional<std::string_view> nextMember();

    /// Where the name of the member that was given last begins, with its quotation mark.
    [[nodiscard]] std::size_t memberStart() const noexcept { return memberStart_; }

    /// Steps into an array; only where `kind()` said that one comes next.
    void enterArray();
    /// Whether another element follows; if not, the array is left.
    [[nodiscard]] bool nextElement();

    /// Requires that nothing follows but white space.
    void end();

    /// Where the reader is: how many bytes it has behind it.
    [[nodiscard]] std::size_t position() const noexcept { return at_; }

    /// How many bytes of text there were in strings so far. Long strings of base64 are no text.
    [[nodiscard]] std::size_t textBytes() const noexcept { return textBytes_; }

private:
    [[noreturn]] static void refuse(std::size_t at, const std::string& problem);
    /// The next character that is no white space; NUL at the end of the text.
    char peek();
    void enter(char bracket);
    /// Whether another item follows in the innermost container.
    bool nextItem();
    /// The name of the next member as it was written.
    std::optional<std::string_view> memberName();
    /// Whether another item follows in a container that `close` ends.
    bool another(char close, const char* problem);
    std::string_view string();
    /// The length of the escape at a place inside a string where something stands that is not simple.
    [[nodiscard]] std::size_t escapeLength(std::size_t at) const;
    [[nodiscard]] unsigned hexDigits(std::size_t from) const;
    void number();
    /// Steps over one of these characters. @return whether one came next
    bool take(std::string_view any);
    std::string_view digits(const char* problem);
    void literal(std::string_view word);

    const std::string_view text_;
    const Limits limits_;
    std::size_t at_ = 0;
    std::size_t values_ = 0;  ///< elements and members so far
    std::string inside_;      ///< the brackets that are open
    bool fresh_ = false;      ///< just entered a container: no comma yet
    std::size_t textBytes_ = 0;
    std::size_t memberStart_ = 0;
    std::string name_;  ///< a member's name that was written with escapes
};

}  // namespace sallyport::json
