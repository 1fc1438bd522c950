// The extension `assets`: files for browsers, such as a console's pages and scripts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sallyport {

/// The extension: `host.extension<Assets>()`.
///
/// Serves what was installed with a plugin: the files below `share/sallyport/NAME`, where NAME is the
/// plugin's, are at
/// `/NAME/` on the operator door, for GET and HEAD. They are read once and do not change while the plugin
/// runs. Nobody needs a token for them, so nothing secret belongs there; what the pages show comes from the
/// plugin's routes, which need one. No code of the plugin runs for them.
///
/// `/NAME/` and any folder are answered with the folder's `index.html`. A file `x.gz` or `x.br` beside `x` is
/// sent in place of `x` to those who accept it. Every answer has a strong `ETag` (RFC 9110 section 8.8.3) and
/// the headers that keep a page to itself: a `Content-Security-Policy` of `'self'` alone, without inline
/// scripts, eval or frames. What has a hash in its name (`app-3f2b8c1e.js`) is cached for good, all else
/// asked for again.
class Assets {
public:
    static constexpr const char* extensionName = "assets";  ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;    ///< likewise

    static constexpr std::size_t mostFiles = 2000;                   ///< with their variants
    static constexpr std::size_t mostBytes = std::size_t{64} << 20;  ///< of all of them

    virtual ~Assets() = default;

    /// Reads the plugin's files. They are there once `start` has returned, and go with the plugin. [during
    /// start] @throws std::logic_error later.
    /// @throws std::runtime_error that names the file: there are none, too many or too large ones, a link, a
    /// name with
    ///         other characters than `A-Z a-z 0-9 . _ -`, one that others than root and the daemon may write.
    virtual void serve() = 0;
};

}  // namespace sallyport
