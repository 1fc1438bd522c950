#include <algorithm>
#include <utility>

#include <string.h>

#include <sallyport/secret_text.h>

namespace sallyport {

SecretText::SecretText(std::size_t size) : text_(std::make_unique<char[]>(size)), size_(size) {}

SecretText::~SecretText() {
    if (text_) {
        // Unlike memset, it is not left out because nobody reads the memory afterwards.
        explicit_bzero(text_.get(), size_);
    }
}

SecretText::SecretText(SecretText&& other) noexcept
    : text_(std::move(other.text_)), size_(std::exchange(other.size_, 0)) {}

SecretText& SecretText::operator=(SecretText&& other) noexcept {
    // What this held goes away, wiped, with the temporary.
    SecretText replaced(std::move(other));
    std::swap(text_, replaced.text_);
    std::swap(size_, replaced.size_);
    return *this;
}

SecretText SecretText::copyOf(std::string_view text) {
    SecretText copy(text.size());
    std::copy(text.begin(), text.end(), copy.text_.get());
    return copy;
}

SecretText SecretText::taken(std::string& text) {
    const WipedAtExit wiped(text);
    return copyOf(text);
}

void wipe(std::string& text) noexcept {
    // Up to the capacity, which does not allocate: it may have been longer before.
    text.resize(text.capacity());
    explicit_bzero(text.data(), text.size());
    text.clear();
}

}  // namespace sallyport
