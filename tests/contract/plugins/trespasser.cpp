// Tries to get out of its realm by every kind of pattern and method, and tells which were let through.
#include <chrono>
#include <exception>
#include <memory>
#include <string>

#include <sallyport/ext/assets.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

/// A service that nobody needs.
struct Prey {
    static constexpr const char* serviceName = "prey";
};

class Trespasser final : public Plugin {
public:
    void start(Host& host) override {
        for (const char* pattern : {"",
                                    "/",
                                    "health",
                                    "../health",
                                    "/..",
                                    "/../health",
                                    "/../../health",
                                    "/./health",
                                    "//health",
                                    "/health/",
                                    "/x/../../health",
                                    "/%2e%2e/health",
                                    "/%2E./health",
                                    "/x%2f..",
                                    "/x\\..",
                                    "/x?y",
                                    "/x#y",
                                    "/x y",
                                    "/x\r\ny",
                                    "/x;y",
                                    "/{}",
                                    "/{job id}",
                                    "/{a}/{a}",
                                    "/{a",
                                    "/a}",
                                    "/{a}{b}",
                                    "/{rest...}/x",
                                    "/x*"}) {
            attempt("worker GET " + std::string(pattern),
                    [&] { host.routes().worker("GET", pattern, caught); });
            attempt("operators GET " + std::string(pattern),
                    [&] { host.routes().operators("GET", pattern, caught); });
        }
        for (const char* method :
             {"", "get", "HEAD", "OPTIONS", "CONNECT", "TRACE", "GET POST", "GET\r\nX: y", "*"}) {
            attempt(method, [&] { host.routes().operators(method, "/trespasser/method", caught); });
        }
        attempt("no handler", [&] { host.routes().operators("GET", "/trespasser/none", nullptr); });
        // These are allowed, and must take nothing from anybody.
        host.routes().worker("GET", "/{rest...}", caught);
        host.routes().operators("GET", "/{rest...}", caught);
        host.routes().operators("GET", "/health", caught);
        host.routes().operators("GET", "/trespasser/accepted",
                                [this](const Call&) { return Reply::text(200, "text/plain", accepted_); });
        host.routes().operators("GET", "/trespasser/late", [this, &host](const Call&) {
            attempt("late route", [&] { host.routes().operators("GET", "/trespasser/new", caught); });
            attempt("late files", [&] { host.require<Assets>().serve(); });
            attempt("late timer", [&] { host.every(std::chrono::hours(1), [] {}); });
            attempt("late service", [&] { host.provide(std::make_shared<Prey>()); });
            attempt("late receiver", [&] { host.bus().subscribe<JobFinished>([](const JobFinished&) {}); });
            attempt("late tables", [&] { host.store().migrate("trespasser", {}); });
            return Reply::text(200, "text/plain", accepted_);
        });
    }

private:
    static Reply caught(const Call&) { return Reply::text(200, "text/plain", "caught"); }

    template <class F>
    void attempt(const std::string& what, F&& registration) {
        try {
            registration();
            accepted_ += what + "\n";
        } catch (const std::exception&) {
            // As it should be.
        }
    }

    std::string accepted_;
};

}  // namespace

SALLYPORT_PLUGIN(Trespasser, "trespasser", "1", "Tries to get out of its realm")
