// A name with two addresses.
#pragma once

#include <string>

namespace sallyport::tests {

/// As long as it lives, getaddrinfo(3) tells of `name` the ports of these two URLs, in that order and on
/// 127.0.0.1, whatever port is asked for. One at a time.
class TwoAddresses {
public:
    static constexpr const char* name = "two.example";

    TwoAddresses(const std::string& firstUrl, const std::string& secondUrl);
    ~TwoAddresses();
    TwoAddresses(const TwoAddresses&) = delete;
    TwoAddresses& operator=(const TwoAddresses&) = delete;
};

}  // namespace sallyport::tests
