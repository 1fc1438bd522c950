// Naming the requests that a plugin answers.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <sallyport/call.h>
#include <sallyport/permission.h>
#include <sallyport/reply.h>

namespace sallyport {

/// Answers one request. It may throw RequestError; any other exception is a 500 for this request and
/// a log line that names the plugin.
using Handler = std::function<Reply(const Call&)>;

/// Where a handler runs.
enum class Run {
    pool,  ///< on a pool thread: it may block on disk or on a lock
    loop,  ///< on the connection's own thread: it never blocks and ends within microseconds. A request whose
           ///< body is larger than `loopBody` runs on the pool all the same
};

/// What body a route takes.
enum class Body {
    none,  ///< a body is drained and not looked at
    json,  ///< `application/json` or `+json`, else 415 before it is read
    any,   ///< whatever comes
};

/// How a route is to be treated. The defaults are right for most: `{.run = Run::loop}`. It grows at its end.
struct RouteOptions {
    /// How far the header went that the plugin was built with, in bytes. Not to be set.
    std::size_t size = sizeof(RouteOptions);
    /// Where its handler runs.
    Run run = Run::pool;
    /// Unset: `none` for GET and DELETE, `json` for the others.
    std::optional<Body> body{};
    /// What an operator needs to be let in: one of Sallyport's permissions (permission.h), or one of the
    /// plugin's own, `NAME.verb`. Unset: `NAME.read` for GET, `NAME.write` for the others, where NAME is the
    /// plugin's name. Operator routes only. It is copied.
    std::string_view permission{};
    /// Whether HEAD is answered by running a GET handler and dropping the body. Set false where
    /// reading uses something up.
    bool head = true;
    /// Whether its bodies hold secrets: the host overwrites its copies of them once they are used.
    bool secret = false;
    /// The largest body, in bytes, that is read within microseconds; see Run::loop. The SDK's parser takes
    /// about 8 microseconds for a KiB, and a job may send many bodies at once.
    std::size_t loopBody = std::size_t{8} * 1024;
};

/// The routes of one plugin. They come into force together, once the plugin's `start` has returned,
/// and end when it is stopped. [during start] @throws std::logic_error later
///
/// A pattern is `/`-separated literals and `{name}` segments, each matching one whole segment; a last
/// segment `{name...}` matches the rest of the path. Where two patterns fit, literals win.
/// @throws std::invalid_argument for a malformed pattern, one that is already taken, by whomever, and a
///         permission that is neither Sallyport's nor the plugin's own.
class Routes {
public:
    virtual ~Routes() = default;

    /// Mounted at `/worker/{job_id}` + pattern; `/prompt` becomes `/worker/{job_id}/prompt`.
    virtual void worker(std::string_view method, std::string_view pattern, Handler handler,
                        const RouteOptions& options = {}) = 0;

    /// Mounted at `/api` + pattern; `/jobs/{job_id}` becomes `/api/jobs/{job_id}`.
    virtual void operators(std::string_view method, std::string_view pattern, Handler handler,
                           const RouteOptions& options = {}) = 0;
};

}  // namespace sallyport
