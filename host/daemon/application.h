// The program: command line, signals, exit codes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <Poco/Util/ServerApplication.h>

#include "host/daemon/daemon.h"

namespace sallyport::host {

/// `sallyportd`. SIGTERM and SIGINT drain and end it, SIGHUP reloads plugins and log settings.
class Application final : public Poco::Util::ServerApplication {
public:
    /// What `--check-config` does. @return what a start would complain of. @throws config::BadValue
    using Check = std::function<std::vector<std::string>(const Daemon::Source&)>;

    explicit Application(Check check);

    /// Parses the command line and runs. @return the exit code: 0, or one of sysexits.h.
    int runWith(int argc, char** argv);

protected:
    void defineOptions(Poco::Util::OptionSet& options) override;
    void handleOption(const std::string& name, const std::string& value) override;
    int main(const ArgVec& arguments) override;

private:
    void printHelp();
    int checkConfiguration();
    int serve();
    void waitForSignals(Daemon& daemon);

    const Check checkSource_;
    Daemon::Source source_;
    bool configured_ = false;
    bool help_ = false;
    bool version_ = false;
    bool check_ = false;
};

}  // namespace sallyport::host
