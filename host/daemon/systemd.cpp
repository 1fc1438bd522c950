#include "host/daemon/systemd.h"

#include <cstdint>
#include <cstdlib>

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

std::vector<Inherited> inheritedSockets() {
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(1, &names);
    std::vector<Inherited> inherited;
    for (int i = 0; i < count; ++i) {
        inherited.push_back({FileDescriptor(SD_LISTEN_FDS_START + i), names[i]});
    }
    for (int i = 0; i < count; ++i) {
        std::free(names[i]);
    }
    std::free(static_cast<void*>(names));
    return inherited;
}

void keep(const std::string& name, int descriptor) {
    const std::string message = "FDSTORE=1\nFDNAME=" + name;
    sd_pid_notify_with_fds(0, 0, message.c_str(), &descriptor, 1);
}

void forget(const std::string& name) {
    sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name.c_str());
}

std::optional<std::chrono::microseconds> watchdogInterval() {
    std::uint64_t micros = 0;
    if (sd_watchdog_enabled(0, &micros) <= 0) {
        return std::nullopt;
    }
    return std::chrono::microseconds(micros);
}

}  // namespace sallyport::host::systemd
