// How often somebody may try to sign in.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "host/auth/pacer.h"

namespace sallyport::host::auth {

/// Attempts by address, so that nobody uses up those of others. Of so many addresses that none is forgotten
/// that tries again at once. [any thread]
class SignInPace {
public:
    /// In the long run; half a minute's worth may come at once.
    static constexpr std::int64_t perSecond = 2;
    static constexpr std::size_t mostAddresses = 1024;

    /// Counts an attempt. A refused one is not to be looked at.
    [[nodiscard]] Pacer::Verdict take(std::string_view address, Pacer::Clock::time_point now);

private:
    using Entry = std::pair<const std::string, Pacer>;

    std::mutex mutex_;
    std::list<Entry> entries_;  ///< the latest first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> byAddress_;
};

}  // namespace sallyport::host::auth
