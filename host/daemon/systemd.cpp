#include "host/daemon/systemd.h"

#include <cstdint>

#include <time.h>

#include <systemd/sd-daemon.h>

namespace sallyport::host::systemd {

void notifyReady(const std::string& status) {
    sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str());
}

void notifyReloading() {
    // sd_notify(3) asks for the time, so that a reload is not taken for an earlier one.
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto micros =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U + static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", static_cast<unsigned long long>(micros));
}

void notifyStopping() {
    sd_notify(0, "STOPPING=1");
}

void notifyWatchdog() {
    sd_notify(0, "WATCHDOG=1");
}

std::optional<std::chrono::microseconds> watchdogInterval() {
    std::uint64_t micros = 0;
    if (sd_watchdog_enabled(0, &micros) <= 0)
        return std::nullopt;
    return std::chrono::microseconds(micros);
}

}  // namespace sallyport::host::systemd
