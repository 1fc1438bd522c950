// The daemon: all rooms put together.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "host/config/configuration.h"
#include "host/daemon/systemd.h"
#include "host/plugins/plugin_set.h"

namespace sallyport::host {

/// One running daemon. Construction opens everything and starts the plugins; after `serve` both doors are
/// open.
class Daemon {
public:
    /// Where the configuration is read from, at start and at each reload.
    struct Source {
        std::string file;
        config::Configuration::Overrides overrides;
    };

    /// @throws config::BadValue, StoreError (its detail() is for the operator), std::runtime_error: sentences
    ///         that say what is wrong and where.
    /// @param inherited sockets that a daemon before it listened on; see Doors.
    explicit Daemon(Source source, std::vector<systemd::Inherited> inherited = {});
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Opens both doors and writes where they are to the data directory.
    void serve();

    /// Reads the configuration again and applies what can change while running: the log settings, jobs.keep,
    /// and the plugins with theirs. A configuration that cannot be read changes nothing. The log says what
    /// came of it. [any thread but a loop's]
    void reload() noexcept;

    /// Whether every loop answers within `patience`.
    [[nodiscard]] bool responsive(std::chrono::milliseconds patience);

    /// One line about what it is doing.
    [[nodiscard]] std::string summary() const;

    /// Stops accepting, finishes what is in flight within the grace, stops plugins, closes the store.
    /// @return false when a plugin's code has not returned. Then nothing may be destroyed, this object
    ///         included: the process is to end at once.
    [[nodiscard]] bool shutDown();

private:
    class Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace sallyport::host
