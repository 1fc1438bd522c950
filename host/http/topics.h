// Which parked requests wait for which topic.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sallyport::host::http {

/// [any thread]
class Topics {
public:
    using Key = std::uint64_t;
    /// Has the request try again; must not block.
    using Wake = std::function<void()>;

    /// @return a key to leave with.
    Key join(const std::string& topic, Wake wake);
    void leave(const std::string& topic, Key key);

    /// Calls everyone who waits for the topic.
    void wake(std::string_view topic);

private:
    struct Waiter {
        Key key;
        Wake wake;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };

    std::mutex mutex_;
    Key next_ = 1;
    std::unordered_map<std::string, std::vector<Waiter>, Hash, std::equal_to<>> waiters_;
};

}  // namespace sallyport::host::http
