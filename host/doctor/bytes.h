// Numbers of bytes for people.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace sallyport::host::doctor {

/// `912 B`, `40 KiB`, `12 GiB`.
[[nodiscard]] inline std::string bytes(std::uintmax_t number) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (number >= 10'240 && unit + 1 < units.size()) {
        number /= 1024;
        ++unit;
    }
    return std::to_string(number) + " " + units[unit];
}

}  // namespace sallyport::host::doctor
