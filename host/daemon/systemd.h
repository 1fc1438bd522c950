// Talking to systemd (sd_notify(3)). Without it, everything here does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace sallyport::host::systemd {

/// The service is up, or up again after a reload. @param status one line for `systemctl status`.
void notifyReady(const std::string& status);
void notifyReloading();
void notifyStopping();
/// The service is alive.
void notifyWatchdog();

/// How often the watchdog must hear from us at the least; nothing when there is none.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdogInterval();

}  // namespace sallyport::host::systemd
