// Hexadecimal digits.
#pragma once

namespace sallyport {

/// What the digit stands for, 0 to 15; -1 for what is none.
constexpr int hexDigit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace sallyport
