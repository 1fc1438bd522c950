#include "tests/unit/llm/two_addresses.h"

#include <atomic>
#include <string>
#include <string_view>

#include <dlfcn.h>
#include <netdb.h>

namespace {

using Lookup = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

std::atomic<int> firstPort{0};  // 0: the name is as any other
std::atomic<int> secondPort{0};

int portIn(const std::string& url) {
    return std::stoi(url.substr(url.rfind(':') + 1));
}

Lookup systemLookup() {
    static const auto lookup = reinterpret_cast<Lookup>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return lookup;
}

int addressOf(int port, const addrinfo* hints, addrinfo** list) {
    return systemLookup()("127.0.0.1", std::to_string(port).c_str(), hints, list);
}

}  // namespace

/// In place of the library's, for the whole test program.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** list) {
    const bool ours = node != nullptr && std::string_view(node) == sallyport::tests::TwoAddresses::name;
    const bool numeric = hints != nullptr && (hints->ai_flags & AI_NUMERICHOST) != 0;
    if (!ours || numeric || firstPort == 0) {
        return systemLookup()(node, service, hints, list);
    }
    const int result = addressOf(firstPort, hints, list);
    // Its list has one address; freeaddrinfo(3) follows it to the next.
    return result != 0 ? result : addressOf(secondPort, hints, &(*list)->ai_next);
}

namespace sallyport::tests {

TwoAddresses::TwoAddresses(const std::string& firstUrl, const std::string& secondUrl) {
    secondPort = portIn(secondUrl);
    firstPort = portIn(firstUrl);
}

TwoAddresses::~TwoAddresses() {
    firstPort = 0;
}

}  // namespace sallyport::tests
