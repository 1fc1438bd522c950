// What the daemon listens on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <sallyport/log.h>

#include "host/daemon/host_options.h"
#include "host/daemon/systemd.h"
#include "host/http/listening_socket.h"

namespace sallyport::host {

/// The sockets of both doors: those that the run before left with the service manager, as far as the
/// configuration still names them, and new ones. The service manager keeps copies of all of them, so that
/// while no daemon runs connections wait instead of being refused.
class Doors {
public:
    /// Binds them.
    /// @param inherited those that match nothing are closed with a warning.
    /// @throws std::runtime_error a sentence naming the address.
    Doors(const HostOptions& options, std::vector<systemd::Inherited> inherited, Logger& log);

    /// Hands the sockets to the server, once.
    void open(http::Server& server);

    /// How clients on this host reach each, in the order of the configuration.
    [[nodiscard]] const std::vector<std::string>& worker() const noexcept { return worker_.urls; }
    [[nodiscard]] const std::vector<std::string>& operators() const noexcept { return operators_.urls; }

    /// The Unix socket of the operator door by which the command line knows the daemon, as `unix:/path`;
    /// empty if none could be made.
    [[nodiscard]] const std::string& commandSocket() const noexcept { return commandSocket_; }

private:
    struct Door {
        std::vector<http::ListeningSocket> sockets;
        std::vector<std::string> urls;

        void add(http::ListeningSocket socket);
    };

    void findCommandSocket();

    const HostOptions& options_;
    Door worker_;
    Door operators_;
    std::string commandSocket_;
};

}  // namespace sallyport::host
