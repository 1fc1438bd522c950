#include <sallyport/ext/tunnels.h>

namespace sallyport {

const char* name(TunnelEnd end) {
    switch (end) {
        case TunnelEnd::finished:
            return "finished";
        case TunnelEnd::closed:
            return "closed";
        case TunnelEnd::lost:
            return "lost";
        case TunnelEnd::revoked:
            return "revoked";
        case TunnelEnd::idle:
            return "idle";
        case TunnelEnd::expired:
            return "expired";
        case TunnelEnd::stopping:
            return "stopping";
        case TunnelEnd::overrun:
            return "overrun";
        case TunnelEnd::failed:
            return "failed";
    }
    return "unknown";
}

std::string ProxyTarget::authority() const {
    const bool brackets = host.find(':') != std::string::npos;
    return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace sallyport
