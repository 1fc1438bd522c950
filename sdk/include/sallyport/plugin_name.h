// What a plugin may be called.
#pragma once

#include <cstddef>
#include <string_view>

namespace sallyport {

/// The longest name that a plugin may have, in characters.
inline constexpr std::size_t maxPluginName = 64;

/// Whether a plugin may have that name: `[a-z][a-z0-9_]*`, at most maxPluginName characters. It is the first
/// segment of its settings' keys. [any thread]
[[nodiscard]] constexpr bool isPluginName(std::string_view name) noexcept {
    return !name.empty() && name.size() <= maxPluginName && name.front() >= 'a' && name.front() <= 'z' &&
           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

}  // namespace sallyport
