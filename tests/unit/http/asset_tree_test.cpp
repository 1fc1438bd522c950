#include "host/http/asset_tree.h"

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include "host/http/router.h"
#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

namespace fs = std::filesystem;

using host::http::AssetTree;

/// What is served to whom without a token.
class AssetTreeTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(AssetTreeTest);
    CPPUNIT_TEST(testSendsFiles);
    CPPUNIT_TEST(testSendsTheIndexOfAFolder);
    CPPUNIT_TEST(testLeavesOtherPathsAlone);
    CPPUNIT_TEST(testKnowsNoSpellingButOne);
    CPPUNIT_TEST(testRefusesOtherMethods);
    CPPUNIT_TEST(testKeepsPagesToThemselves);
    CPPUNIT_TEST(testSendsWhatIsCompressedToThoseWhoTakeIt);
    CPPUNIT_TEST(testSendsNothingThatIsKnown);
    CPPUNIT_TEST(testLetsHashedNamesBeCached);
    CPPUNIT_TEST(testKeepsWhatItHasRead);
    CPPUNIT_TEST(testRefusesLinks);
    CPPUNIT_TEST(testRefusesWhatOthersMayWrite);
    CPPUNIT_TEST(testRefusesOddNames);
    CPPUNIT_TEST(testRefusesEmptiness);
    CPPUNIT_TEST(testRefusesTooMany);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;
    std::optional<AssetTree> tree_;

    void put(const std::string& path, const std::string& content) {
        const fs::path file = directory_ / path;
        fs::create_directories(file.parent_path());
        writeFile(file, content);
    }
    void read() { tree_.emplace("console", directory_.path().string(), host::trust::Trust()); }

    [[nodiscard]] Reply get(const std::string& path, const std::string& acceptEncoding = "",
                            const std::string& ifNoneMatch = "", const std::string& method = "GET") const {
        auto reply = tree_->answer({method, path, acceptEncoding, ifNoneMatch});
        CPPUNIT_ASSERT_MESSAGE(path, reply.has_value());
        return *std::move(reply);
    }
    static std::string bodyOf(const Reply& reply) { return std::get<Reply::Whole>(reply.content()).body; }
    static std::string typeOf(const Reply& reply) {
        return std::get<Reply::Whole>(reply.content()).contentType;
    }
    static std::string headerOf(const Reply& reply, std::string_view name) {
        for (const auto& [key, value] : reply.headers()) {
            if (key == name) {
                return value;
            }
        }
        return "none";
    }
    std::string refusal() {
        try {
            read();
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "accepted";
    }

public:
    void setUp() override {
        put("index.html", "<p>Hello");
        put("app.js", "run()");
        put("pages/index.html", "<p>Pages");
    }

    void testSendsFiles() {
        read();
        const auto reply = get("/console/app.js");
        CPPUNIT_ASSERT_EQUAL(200, reply.status());
        CPPUNIT_ASSERT_EQUAL(std::string("run()"), bodyOf(reply));
        CPPUNIT_ASSERT_EQUAL(std::string("text/javascript; charset=utf-8"), typeOf(reply));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), headerOf(reply, "Content-Encoding"));
        CPPUNIT_ASSERT_EQUAL(std::string("none"), headerOf(reply, "Vary"));
        CPPUNIT_ASSERT_EQUAL(200, get("/console/app.js", "", "", "HEAD").status());
    }

    void testSendsTheIndexOfAFolder() {
        read();
        CPPUNIT_ASSERT_EQUAL(std::string("<p>Hello"), bodyOf(get("/console/")));
        CPPUNIT_ASSERT_EQUAL(std::string("<p>Pages"), bodyOf(get("/console/pages/")));
        const auto moved = get("/console");
        CPPUNIT_ASSERT_EQUAL(308, moved.status());
        CPPUNIT_ASSERT_EQUAL(std::string("/console/"), headerOf(moved, "Location"));
    }

    void testLeavesOtherPathsAlone() {
        read();
        for (const char* path :
             {"/", "/consoles/", "/consol", "/api/jobs", "/api/console/", "*", "/health"}) {
            CPPUNIT_ASSERT_MESSAGE(path, !tree_->answer({"GET", path, "", ""}));
        }
    }

    void testKnowsNoSpellingButOne() {
        read();
        for (const char* path :
             {"/console/../console/app.js", "/console/%2e%2e/console/app.js", "/console//app.js",
              "/console/./app.js", "/console/app%2ejs", "/console/APP.JS", "/console/app.js/",
              "/console/pages", "/console/nothing", "/console/pages/../app.js"}) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(path, 404, get(path).status());
        }
    }

    void testRefusesOtherMethods() {
        read();
        for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "CONNECT"}) {
            const auto reply = get("/console/app.js", "", "", method);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(method, 405, reply.status());
            CPPUNIT_ASSERT_EQUAL(std::string("GET, HEAD"), headerOf(reply, "Allow"));
        }
    }

    void testKeepsPagesToThemselves() {
        read();
        const auto page = get("/console/");
        ASSERT_CONTAINS("default-src 'self'", headerOf(page, "Content-Security-Policy"));
        ASSERT_CONTAINS("frame-ancestors 'none'", headerOf(page, "Content-Security-Policy"));
        ASSERT_LACKS("unsafe", headerOf(page, "Content-Security-Policy"));
        CPPUNIT_ASSERT_EQUAL(std::string("nosniff"), headerOf(page, "X-Content-Type-Options"));
        CPPUNIT_ASSERT_EQUAL(std::string("no-referrer"), headerOf(page, "Referrer-Policy"));
    }

    void testSendsWhatIsCompressedToThoseWhoTakeIt() {
        put("app.js.gz", "gzipped");
        put("app.js.br", "brotlied");
        put("alone.txt.gz", "no variant of anything");
        CPPUNIT_ASSERT(refusal().find("its kind is not known") != std::string::npos);
        fs::remove(directory_ / "alone.txt.gz");
        read();
        struct Case {
            const char* accepted;
            const char* coding;
        };
        for (const auto& [accepted, coding] :
             {Case{"gzip, deflate, br", "br"}, Case{"gzip", "gzip"}, Case{"GZip;q=0.5", "gzip"},
              Case{"br;q=0, gzip;q=1.0", "gzip"}, Case{"br;q=0.0,gzip; q=0", "none"}, Case{"", "none"},
              Case{"identity", "none"}, Case{"xgzip, gzipx", "none"}}) {
            const auto reply = get("/console/app.js", accepted);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(accepted, std::string(coding), headerOf(reply, "Content-Encoding"));
            CPPUNIT_ASSERT_EQUAL(std::string("Accept-Encoding"), headerOf(reply, "Vary"));
            CPPUNIT_ASSERT_EQUAL(std::string("text/javascript; charset=utf-8"), typeOf(reply));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("gzipped"), bodyOf(get("/console/app.js", "gzip")));
        CPPUNIT_ASSERT(headerOf(get("/console/app.js", "gzip"), "ETag") !=
                       headerOf(get("/console/app.js"), "ETag"));
        CPPUNIT_ASSERT_EQUAL(404, get("/console/app.js.gz").status());
    }

    void testSendsNothingThatIsKnown() {
        read();
        const std::string etag = headerOf(get("/console/app.js"), "ETag");
        for (const std::string& known : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
            const auto reply = get("/console/app.js", "", known);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(known, 304, reply.status());
            CPPUNIT_ASSERT_EQUAL(std::string(), bodyOf(reply));
            CPPUNIT_ASSERT_EQUAL(etag, headerOf(reply, "ETag"));
        }
        CPPUNIT_ASSERT_EQUAL(200, get("/console/app.js", "", "\"other\"").status());
        CPPUNIT_ASSERT_EQUAL(200, get("/console/", "", etag).status());
    }

    void testLetsHashedNamesBeCached() {
        put("app-3f2b8c1e.js", "1");
        put("style.0123456789ab.css", "2");
        put("not-hashed-at-all.css", "3");
        read();
        const std::string forGood = "public, max-age=31536000, immutable";
        CPPUNIT_ASSERT_EQUAL(forGood, headerOf(get("/console/app-3f2b8c1e.js"), "Cache-Control"));
        CPPUNIT_ASSERT_EQUAL(forGood, headerOf(get("/console/style.0123456789ab.css"), "Cache-Control"));
        for (const char* path : {"/console/", "/console/app.js", "/console/not-hashed-at-all.css"}) {
            CPPUNIT_ASSERT_EQUAL(std::string("no-cache"), headerOf(get(path), "Cache-Control"));
        }
    }

    void testKeepsWhatItHasRead() {
        read();
        put("app.js", "changed()");
        fs::remove(directory_ / "index.html");
        CPPUNIT_ASSERT_EQUAL(std::string("run()"), bodyOf(get("/console/app.js")));
        CPPUNIT_ASSERT_EQUAL(200, get("/console/").status());
    }

    void testRefusesLinks() {
        fs::create_symlink("/etc/hostname", directory_ / "host.txt");
        ASSERT_CONTAINS("host.txt\" cannot be served: it is a link", refusal());
        fs::remove(directory_ / "host.txt");
        fs::create_directory_symlink("/etc", directory_ / "etc");
        ASSERT_CONTAINS("etc\" cannot be served: it is a link", refusal());
        fs::remove(directory_ / "etc");
        CPPUNIT_ASSERT_EQUAL(std::string("accepted"), refusal());
        const fs::path link = directory_.path().string() + "-link";
        fs::create_directory_symlink(directory_.path(), link);
        CPPUNIT_ASSERT_THROW(AssetTree("console", link.string(), host::trust::Trust()), std::runtime_error);
        fs::remove(link);
    }

    void testRefusesWhatOthersMayWrite() {
        fs::permissions(directory_ / "app.js", fs::perms::others_write, fs::perm_options::add);
        ASSERT_CONTAINS("app.js\" cannot be served", refusal());
    }

    void testRefusesOddNames() {
        for (const char* name : {"a b.txt", "a%20b.txt", "a?.txt", "\xC3\xA9.txt", "a#b.txt"}) {
            put(name, "x");
            CPPUNIT_ASSERT_MESSAGE(name, refusal() != "accepted");
            fs::remove(directory_ / name);
        }
        put("tool.exe", "x");
        ASSERT_CONTAINS("its kind is not known", refusal());
    }

    void testRefusesEmptiness() {
        TemporaryDirectory empty;
        CPPUNIT_ASSERT_THROW(AssetTree("console", empty.path().string(), host::trust::Trust()),
                             std::runtime_error);
        CPPUNIT_ASSERT_THROW(AssetTree("console", (empty / "missing").string(), host::trust::Trust()),
                             std::runtime_error);
    }

    void testRefusesTooMany() {
        for (int i = 0; i < 2000; ++i) {
            put("many/" + std::to_string(i) + ".txt", "");
        }
        ASSERT_CONTAINS("more than 2000 files", refusal());
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(AssetTreeTest);

}  // namespace sallyport::tests
