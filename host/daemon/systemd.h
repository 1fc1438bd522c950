// Talking to systemd (sd_notify(3)). Without it, everything here does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/file_descriptor.h>

namespace sallyport::host::systemd {

/// The service is up, or up again after a reload. @param status one line for `systemctl status`.
void notifyReady(const std::string& status);
void notifyReloading();
void notifyStopping();
/// The service is alive.
void notifyWatchdog();

/// A socket that the service manager hands over, with the name under which it has it.
struct Inherited {
    FileDescriptor descriptor;
    std::string name;
};

/// Those of sd_listen_fds(3): kept from the run before (`keep`), or opened by a socket unit. They are handed
/// over once. Changes the environment. [before there are threads]
[[nodiscard]] std::vector<Inherited> inheritedSockets();

/// Has the service manager keep a copy of the socket for the next run, if it keeps any
/// (`FileDescriptorStoreMax=`). What it has already is not kept twice.
void keep(const std::string& name, int descriptor);
/// Has it close all copies under that name.
void forget(const std::string& name);

/// How often the watchdog must hear from us at the least; nothing when there is none.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdogInterval();

}  // namespace sallyport::host::systemd
