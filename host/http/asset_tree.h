// Files that everybody may read at the operator door.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sallyport/reply.h>

#include "host/trust/trust.h"

namespace sallyport::host::http {

/// What of a request decides how a file is sent.
struct AssetRequest {
    std::string_view method;
    std::string_view path;            ///< undecoded
    std::string_view acceptEncoding;  ///< empty: none was sent
    std::string_view ifNoneMatch;     ///< likewise
};

/// One plugin's files, read when it started. [any thread; immutable]
class AssetTree {
public:
    /// @param name      of the plugin: the files are at `/name/`.
    /// @param directory is read with all that is in it. Links are refused.
    /// @param trust     whose files are believed.
    /// @throws std::runtime_error that names what cannot be served.
    AssetTree(const std::string& name, const std::string& directory, const trust::Trust& trust);

    /// Nothing if the path is neither `/name` nor below it.
    [[nodiscard]] std::optional<Reply> answer(const AssetRequest& request) const;

private:
    /// A file as it is, or as it is compressed.
    struct Variant {
        std::string coding;  ///< as in `Content-Encoding`; empty: as it is
        std::string etag;
        std::string bytes;
    };
    struct File {
        std::string type;
        bool cachedForGood = false;
        std::vector<Variant> variants;  ///< the one to be preferred first; the last is as it is
    };

    [[nodiscard]] const File* find(std::string_view path) const;
    [[nodiscard]] static Reply send(const File& file, const AssetRequest& request);

    std::string mount_;                               ///< `/name`
    std::map<std::string, File, std::less<>> files_;  ///< by their path below the mount, beginning with `/`
};

}  // namespace sallyport::host::http
