// Tries to get out of its realm by every kind of pattern and method, and tells which were let through.
#include <exception>
#include <string>

#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

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
            attempt("late", [&] { host.routes().operators("GET", "/trespasser/new", caught); });
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
