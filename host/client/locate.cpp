#include "host/client/locate.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <Poco/AutoPtr.h>
#include <Poco/Exception.h>
#include <Poco/Util/PropertyFileConfiguration.h>

#include "host/client/failure.h"

namespace sallyport::host::client {

namespace {

struct FirstLine {
    std::string text;
    int error = 0;  ///< errno when the file could not be read
};

FirstLine readFirstLine(const std::string& path) {
    errno = 0;
    std::ifstream file(path);
    FirstLine line;
    if (!file || (!std::getline(file, line.text) && !file.eof())) {
        line.error = errno != 0 ? errno : EIO;
    }
    while (!line.text.empty() && (line.text.back() == '\r' || line.text.back() == ' ')) {
        line.text.pop_back();
    }
    return line;
}

/// A token goes into a header, so it is one word of visible ASCII.
bool isToken(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

class Search {
public:
    Search(const LocateOptions& options, const Environment& environment, const DefaultPlaces& places)
        : options_(options), environment_(environment), places_(places) {}

    Access run() {
        std::optional<std::string> url = environment_("SALLYPORT_URL");
        if (!options_.url && url && isWorkerAddress(*url)) {
            workersEnvironment_ = true;
            notes_.push_back("SALLYPORT_URL is a worker's address: it and SALLYPORT_TOKEN were passed over.");
        }
        const std::optional<std::string> token =
            workersEnvironment_ ? std::nullopt : environment_("SALLYPORT_TOKEN");
        const bool tokenGiven = options_.tokenFile || token;
        Access access;
        const bool addressFound = !findGivenAddress(access, url);
        if (addressFound) {
            findAddress(access, tokenGiven);
        }
        findToken(access, token);
        if (access.address.unixSocket && (addressFound || !tokenGiven)) {
            access.dataDir = dataDir();
            access.peers = trustedPeers();
        }
        return access;
    }

    const std::string& dataDir() {
        if (!dataDir_) {
            dataDir_ = findDataDir();
        }
        return *dataDir_;
    }

private:
    /// @return whether somebody said where.
    bool findGivenAddress(Access& access, const std::optional<std::string>& url) {
        if (options_.url) {
            access.addressOrigin = "--url";
            access.address = parsed(*options_.url, access.addressOrigin);
            return true;
        }
        if (url && !workersEnvironment_) {
            access.addressOrigin = "SALLYPORT_URL";
            access.address = parsed(*url, access.addressOrigin);
            return true;
        }
        return false;
    }

    static Address parsed(const std::string& text, const std::string& origin) {
        try {
            return Address::parse(text);
        } catch (const std::invalid_argument& problem) {
            throw UsageError(origin + ": " + problem.what());
        }
    }

    void findAddress(Access& access, bool tokenGiven) {
        const std::string named = dataDir() + "/operator.socket";
        const std::string socket = dataDir() + "/operator.sock";
        const FirstLine line = readFirstLine(named);
        if (line.error == 0) {
            access.addressOrigin = named;
            access.address = parsed(line.text, named);
        } else if (::access(socket.c_str(), F_OK) == 0) {
            // A full disk had no room for the file.
            access.addressOrigin = "the data directory";
            access.address = parsed("unix:" + socket, access.addressOrigin);
        } else if (isInstalledDaemon() && ::access(places_.socket.c_str(), F_OK) == 0) {
            access.addressOrigin = "the default";
            access.address = parsed("unix:" + places_.socket, access.addressOrigin);
        } else {
            findPort(access, tokenGiven, line.error);
        }
    }

    /// Whether nobody said which daemon is meant.
    bool isInstalledDaemon() const {
        return !options_.dataDir && !options_.config && !environment_("SALLYPORT_DATA_DIR") &&
               !environment_("SALLYPORT_CONFIG");
    }

    /// Of a daemon without a socket: for a token that somebody gave.
    void findPort(Access& access, bool tokenGiven, int errorOfSocket) {
        const std::string named = dataDir() + "/operator.address";
        const FirstLine line = readFirstLine(named);
        if (line.error != 0) {
            notFound("the daemon: neither " + dataDir() + "/operator.socket nor " + named, line.error);
        }
        if (!tokenGiven) {
            notFound("the daemon's socket: " + dataDir() + "/operator.socket", errorOfSocket);
        }
        access.addressOrigin = named;
        access.address = parsed(line.text, named);
    }

    [[noreturn]] void notFound(const std::string& what, int error) {
        std::vector<std::string> hints = notes_;
        if (error == EACCES) {
            hints.emplace_back("Your user may not read it: try sudo, or give --url and --token-file.");
        } else {
            hints.emplace_back("Is the daemon running? It writes this file when it starts.");
            hints.emplace_back("Does it keep its data elsewhere? --data-dir DIR, or --config FILE.");
            hints.emplace_back("Do you know its address? --url URL, with --token-file FILE.");
        }
        throw Unreachable("cannot find " + what + ": " + std::strerror(error), hints);
    }

    void findToken(Access& access, const std::optional<std::string>& token) {
        if (options_.tokenFile) {
            access.tokenOrigin = *options_.tokenFile;
            access.token = tokenIn(*options_.tokenFile, {});
        } else if (token) {
            access.tokenOrigin = "SALLYPORT_TOKEN";
            access.token = *token;
        } else if (access.address.unixSocket) {
            access.tokenOrigin = dataDir() + "/operator.token";
            access.token = tokenInDataDir();
        } else {
            throw Unreachable(
                "no token for " + access.address.text,
                {"The token in the data directory is sent through the daemon's own socket only: on a port "
                 "somebody else may listen.",
                 "Leave " + access.addressOrigin +
                     " out to use that socket, or give a token with "
                     "--token-file FILE or SALLYPORT_TOKEN."});
        }
        if (!isToken(access.token)) {
            throw Unreachable(access.tokenOrigin + " holds no token: expected one word on one line");
        }
    }

    /// Root, and the owner of the data directory, if there is one.
    std::vector<uid_t> trustedPeers() {
        std::vector<uid_t> peers{0};
        struct stat status {};
        if (::stat(dataDir().c_str(), &status) == 0) {
            peers.push_back(status.st_uid);
        }
        return peers;
    }

    std::string tokenInDataDir() {
        std::vector<std::string> hints = notes_;
        hints.emplace_back("It belongs to the user that runs the daemon: try sudo.");
        hints.emplace_back(
            "Or use a token of your own (`sallyport token create`) with --token-file FILE or "
            "SALLYPORT_TOKEN.");
        return tokenIn(dataDir() + "/operator.token", hints);
    }

    static std::string tokenIn(const std::string& path, std::vector<std::string> hints) {
        FirstLine line = readFirstLine(path);
        if (line.error != 0) {
            throw Unreachable("no token: " + path + ": " + std::strerror(line.error), std::move(hints));
        }
        return std::move(line.text);
    }

    std::string findDataDir() {
        if (options_.dataDir) {
            notes_.push_back("Looked in " + *options_.dataDir + ", from --data-dir.");
            return *options_.dataDir;
        }
        if (std::optional<std::string> dir = environment_("SALLYPORT_DATA_DIR")) {
            notes_.push_back("Looked in " + *dir + ", from SALLYPORT_DATA_DIR.");
            return *dir;
        }
        if (std::optional<std::string> dir = configuredDataDir()) {
            return *dir;
        }
        notes_.push_back("Looked in " + places_.dataDir + ", the default.");
        return places_.dataDir;
    }

    std::optional<std::string> configuredDataDir() {
        std::optional<std::string> named = options_.config;
        if (!named) {
            named = environment_("SALLYPORT_CONFIG");
        }
        const std::string file = named.value_or(places_.config);
        if (const FirstLine line = readFirstLine(file); line.error != 0) {
            // A file that somebody named must be there; the installed one need not.
            if (named) {
                throw Unreachable("cannot read the configuration " + file + ": " + std::strerror(line.error));
            }
            notes_.push_back("No data.dir from " + file + ": " + std::strerror(line.error) + ".");
            return std::nullopt;
        }
        std::string dir = dataDirIn(file);
        if (dir.empty()) {
            notes_.push_back(file + " does not set data.dir.");
            return std::nullopt;
        }
        notes_.push_back("Looked in " + dir + ", the data.dir of " + file + ".");
        return dir;
    }

    static std::string dataDirIn(const std::string& file) {
        try {
            const Poco::AutoPtr<Poco::Util::PropertyFileConfiguration> properties(
                new Poco::Util::PropertyFileConfiguration(file));
            return properties->getString("data.dir", "");
        } catch (const Poco::Exception& problem) {
            throw Unreachable("cannot read data.dir from " + file + ": " + problem.displayText());
        }
    }

    const LocateOptions& options_;
    const Environment& environment_;
    const DefaultPlaces& places_;
    bool workersEnvironment_ = false;
    std::optional<std::string> dataDir_;
    std::vector<std::string> notes_;  ///< where was looked, for when nothing was found
};

}  // namespace

std::string locateDataDirectory(const LocateOptions& options, const Environment& environment,
                                const DefaultPlaces& places) {
    return Search(options, environment, places).dataDir();
}

std::string configurationFile(const LocateOptions& options, const Environment& environment,
                              const DefaultPlaces& places) {
    if (options.config) {
        return *options.config;
    }
    if (std::optional<std::string> file = environment("SALLYPORT_CONFIG")) {
        return *file;
    }
    std::error_code error;
    return std::filesystem::exists(places.config, error) || error ? places.config : "";
}

Access locate(const LocateOptions& options, const Environment& environment, const DefaultPlaces& places) {
    return Search(options, environment, places).run();
}

}  // namespace sallyport::host::client
