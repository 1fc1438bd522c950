#include "host/http/asset_tree.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <Poco/DigestEngine.h>
#include <openssl/evp.h>

#include <sallyport/ascii.h>
#include <sallyport/errors.h>
#include <sallyport/ext/assets.h>

#include "host/trust/file.h"

namespace sallyport::host::http {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view nameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

constexpr std::array<std::pair<std::string_view, const char*>, 15> types{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
}};

/// Of files that stand for others, the one that is smaller as a rule first.
constexpr std::array<std::pair<std::string_view, const char*>, 2> codings{{{".br", "br"}, {".gz", "gzip"}}};

/// Pages load what is theirs and nothing else, run no script that stands in the page, and are in nobody's
/// frame.
constexpr const char* policy =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

constexpr std::size_t shortestHash = 8;

[[noreturn]] void refuse(const fs::path& file, const std::string& problem) {
    throw std::runtime_error("\"" + file.string() + "\" cannot be served: " + problem);
}

std::string typeOf(const fs::path& file) {
    const std::string extension = file.extension().string();
    const auto found =
        std::find_if(types.begin(), types.end(), [&](const auto& type) { return type.first == extension; });
    if (found == types.end()) {
        refuse(file, "its kind is not known");
    }
    return found->second;
}

std::string etagOf(const std::string& bytes, std::string_view coding) {
    std::vector<unsigned char> sum(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), sum.data(), &size, EVP_sha256(), nullptr) != 1) {
        throw std::runtime_error("a SHA-256 sum cannot be computed");
    }
    sum.resize(size / 2);
    return '"' + Poco::DigestEngine::digestToHex(sum) + (coding.empty() ? "" : "-") + std::string(coding) +
           '"';
}

/// Whether it ends as in `app-3f2b8c1e.js` or `app.3f2b8c1e.js`.
bool hasHash(const fs::path& file) {
    const std::string stem = file.stem().string();
    const auto mark = stem.find_last_of("-.");
    const std::string_view hash =
        mark == std::string::npos ? std::string_view() : std::string_view(stem).substr(mark + 1);
    return hash.size() >= shortestHash && std::all_of(hash.begin(), hash.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// Whether a list such as `Accept-Encoding` has the word, and not with `q=0` (RFC 9110 section 12.4.2).
bool accepts(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const auto comma = std::min(list.find(','), list.size());
        std::string_view item = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
        const auto end = std::min(item.find_first_of("; \t"), item.size());
        if (!ascii::equalsIgnoringCase(item.substr(0, end), word)) {
            continue;
        }
        const auto weight = item.find("q=");
        return weight == std::string_view::npos ||
               item.find_first_of("123456789", weight) != std::string_view::npos;
    }
    return false;
}

/// Whether `If-None-Match` names it (RFC 9110 section 13.1.2).
bool isKnown(std::string_view ifNoneMatch, std::string_view etag) {
    return ifNoneMatch == "*" || ifNoneMatch.find(etag) != std::string_view::npos;
}

}  // namespace

AssetTree::AssetTree(const std::string& name, const std::string& directory, const trust::Trust& trust)
    : mount_("/" + name) {
    std::error_code error;
    if (!fs::is_directory(fs::symlink_status(directory, error))) {
        refuse(directory, "it is no directory");
    }
    std::size_t bytes = 0;
    std::size_t count = 0;
    std::map<std::string, std::pair<fs::path, std::string>> contents;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        const auto& path = entry.path();
        if (path.filename().string().find_first_not_of(nameCharacters) != std::string::npos) {
            refuse(path, "its name has characters that would have to be encoded");
        }
        const auto status = entry.symlink_status();
        if (fs::is_directory(status)) {
            continue;
        }
        if (!fs::is_regular_file(status)) {
            refuse(path, "it is a link, or no file");
        }
        if (++count > Assets::mostFiles) {
            refuse(directory, "it has more than " + std::to_string(Assets::mostFiles) + " files");
        }
        bytes += entry.file_size();
        if (bytes > Assets::mostBytes) {
            refuse(directory, "it has more than " + std::to_string(Assets::mostBytes) + " bytes");
        }
        try {
            contents.emplace("/" + path.lexically_relative(directory).string(),
                             std::pair(path, trust::contentsOf(path.string(), trust)));
        } catch (const trust::Untrusted& problem) {
            refuse(path, problem.what());
        }
    }
    if (contents.empty()) {
        refuse(directory, "there is nothing in it");
    }
    const auto isVariant = [&](const std::string& path) {
        return std::any_of(codings.begin(), codings.end(), [&](const auto& coding) {
            return path.ends_with(coding.first) &&
                   contents.contains(path.substr(0, path.size() - coding.first.size()));
        });
    };
    for (auto& [path, content] : contents) {
        if (isVariant(path)) {
            continue;
        }
        auto& [where, text] = content;
        File file{typeOf(where), hasHash(where), {}};
        for (const auto& [suffix, coding] : codings) {
            const auto variant = contents.find(path + std::string(suffix));
            if (variant != contents.end()) {
                file.variants.push_back(
                    {coding, etagOf(variant->second.second, coding), variant->second.second});
            }
        }
        file.variants.push_back({"", etagOf(text, ""), std::move(text)});
        files_.emplace(path, std::move(file));
    }
}

const AssetTree::File* AssetTree::find(std::string_view path) const {
    const auto found =
        path.ends_with('/') ? files_.find(std::string(path) + "index.html") : files_.find(path);
    return found == files_.end() ? nullptr : &found->second;
}

std::optional<Reply> AssetTree::answer(const AssetRequest& request) const {
    const std::string_view path = request.path;
    if (path == mount_) {
        return Reply::empty(308).header("Location", mount_ + "/");
    }
    if (!path.starts_with(mount_ + "/")) {
        return std::nullopt;
    }
    const auto* const file = find(path.substr(mount_.size()));
    if (file == nullptr) {
        return Reply::error(notFound("there is nothing at this path"));
    }
    if (request.method != "GET" && request.method != "HEAD") {
        return Reply::error(RequestError(405, "method_not_allowed", "the method is not one of: GET, HEAD"))
            .header("Allow", "GET, HEAD");
    }
    return send(*file, request);
}

Reply AssetTree::send(const File& file, const AssetRequest& request) {
    const auto& variant = *std::find_if(file.variants.begin(), file.variants.end(), [&](const Variant& each) {
        return each.coding.empty() || accepts(request.acceptEncoding, each.coding);
    });
    auto reply = isKnown(request.ifNoneMatch, variant.etag) ? Reply::empty(304)
                                                            : Reply::text(200, file.type, variant.bytes);
    reply.header("ETag", variant.etag);
    reply.header("Cache-Control", file.cachedForGood ? "public, max-age=31536000, immutable" : "no-cache");
    if (file.variants.size() > 1) {
        reply.header("Vary", "Accept-Encoding");
    }
    if (!variant.coding.empty() && reply.status() == 200) {
        reply.header("Content-Encoding", variant.coding);
    }
    reply.header("Content-Security-Policy", policy);
    reply.header("X-Content-Type-Options", "nosniff");
    reply.header("Referrer-Policy", "no-referrer");
    reply.header("Cross-Origin-Opener-Policy", "same-origin");
    reply.header("Cross-Origin-Resource-Policy", "same-origin");
    return reply;
}

}  // namespace sallyport::host::http
