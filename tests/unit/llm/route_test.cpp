#include "plugins/llm/upstream/route.h"

#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

namespace sallyport::plugins::llm {
namespace {

constexpr std::array variables = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                  "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

/// The environment without any proxies but these, for as long as this lives.
class ProxyVariables {
public:
    explicit ProxyVariables(const std::map<std::string, std::string>& values) {
        for (const char* const name : variables) {
            const char* const value = std::getenv(name);
            before_.emplace_back(name, value == nullptr ? std::nullopt : std::optional<std::string>(value));
            ::unsetenv(name);
        }
        for (const auto& [name, value] : values) {
            ::setenv(name.c_str(), value.c_str(), 1);
        }
    }
    ~ProxyVariables() {
        for (const auto& [name, value] : before_) {
            if (value) {
                ::setenv(name.c_str(), value->c_str(), 1);
            } else {
                ::unsetenv(name.c_str());
            }
        }
    }
    ProxyVariables(const ProxyVariables&) = delete;
    ProxyVariables& operator=(const ProxyVariables&) = delete;

private:
    std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

/// @return the sentence of the std::invalid_argument that has to come.
std::string refusal(const std::string& what, const std::function<void()>& act) {
    try {
        act();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    CPPUNIT_FAIL("not refused: " + what);
    return "";
}

/// The proxy for an address in an environment of these variables only.
std::string proxyFor(const std::map<std::string, std::string>& environment, const std::string& url) {
    const ProxyVariables set(environment);
    const EnvironmentProxies proxies;
    return std::string(proxies.proxyFor(Url::parse(url)));
}

bool isDirect(const std::string& noProxy, const std::string& url) {
    return proxyFor({{"all_proxy", "proxy"}, {"no_proxy", noProxy}}, url).empty();
}

class RouteTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(RouteTest);
    CPPUNIT_TEST(testUrl);
    CPPUNIT_TEST(testUrlsThatAreRefused);
    CPPUNIT_TEST(testRefusalDoesNotShowThePassword);
    CPPUNIT_TEST(testProxy);
    CPPUNIT_TEST(testProxyCredentials);
    CPPUNIT_TEST(testProxiesThatAreRefused);
    CPPUNIT_TEST(testEnvironment);
    CPPUNIT_TEST(testNoProxyNames);
    CPPUNIT_TEST(testNoProxyAddresses);
    CPPUNIT_TEST(testNoProxyLists);
    CPPUNIT_TEST(testRoute);
    CPPUNIT_TEST(testRouteKeys);
    CPPUNIT_TEST_SUITE_END();

    static void testUrl() {
        struct Expected {
            std::string text;
            bool tls;
            std::string host;
            int port;
            std::string authority;
            std::string target;
        };
        for (const Expected& expected : std::vector<Expected>{
                 {"http://a.example/b/c?d=e&f", false, "a.example", 80, "a.example", "/b/c?d=e&f"},
                 {"https://a.example/", true, "a.example", 443, "a.example", "/"},
                 {"https://a.example:8443/", true, "a.example", 8443, "a.example:8443", "/"},
                 {"https://a.example:443/", true, "a.example", 443, "a.example", "/"},
                 {"https://a.example:80/", true, "a.example", 80, "a.example:80", "/"},
                 {"http://a.example:443/", false, "a.example", 443, "a.example:443", "/"},
                 {"http://a.example:/", false, "a.example", 80, "a.example", "/"},
                 {"http://a.example", false, "a.example", 80, "a.example", "/"},
                 {"http://a.example?b", false, "a.example", 80, "a.example", "/?b"},
                 {"http://a.example#b", false, "a.example", 80, "a.example", "/"},
                 {"http://a.example/b?c#d?e", false, "a.example", 80, "a.example", "/b?c"},
                 {"HTTPS://API.Example/Path", true, "api.example", 443, "api.example", "/Path"},
                 {"http://a.example./", false, "a.example.", 80, "a.example.", "/"},
                 {"http://127.0.0.1:65535/", false, "127.0.0.1", 65535, "127.0.0.1:65535", "/"},
                 {"http://[::1]/", false, "::1", 80, "[::1]", "/"},
                 {"https://[2001:DB8::1]:8443/x", true, "2001:db8::1", 8443, "[2001:db8::1]:8443", "/x"},
                 {"http://a.example/x://y@z:0", false, "a.example", 80, "a.example", "/x://y@z:0"},
                 {"http://a.example?u=b@c/d", false, "a.example", 80, "a.example", "/?u=b@c/d"},
             }) {
            const Url url = Url::parse(expected.text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.text, expected.tls, url.tls);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.text, expected.host, url.host);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.text, expected.port, int{url.port});
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.text, expected.authority, url.authority);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(expected.text, expected.target, url.target);
        }
    }

    static void testUrlsThatAreRefused() {
        for (const std::string text : {"",
                                       "a.example",
                                       "//a.example/",
                                       "ftp://a.example/",
                                       "a/http://b.example/",
                                       "http:/a.example/",
                                       "http://",
                                       "http:///b",
                                       "http://:80/",
                                       "http://./",
                                       "http://.:80/",
                                       "http://?b",
                                       "http://a.example:0/",
                                       "http://a.example:65536/",
                                       "http://a.example:-1/",
                                       "http://a.example:+1/",
                                       "http://a.example:8o/",
                                       "http://a.example:80:80/",
                                       "http://::1/",
                                       "http://[::1/",
                                       "http://[/",
                                       "http://[]/",
                                       "http://[a.example]/",
                                       "http://[127.0.0.1]/",
                                       "http://[::1]80/",
                                       "http://[::1]:x/",
                                       "http://user@a.example/",
                                       "http://user:password@a.example/",
                                       "http://a example/",
                                       "http://a.example/b c",
                                       "http://a.example/\t",
                                       "http://a.example/\r\nX-A: 1",
                                       "http://a.example/\x7f"}) {
            CPPUNIT_ASSERT(!refusal(text, [&] { static_cast<void>(Url::parse(text)); }).empty());
        }
        refusal("NUL", [] { static_cast<void>(Url::parse(std::string_view("http://a.example\0.b/", 20))); });
    }

    static void testRefusalDoesNotShowThePassword() {
        const std::string sentence =
            refusal("password", [] { static_cast<void>(Url::parse("http://user:sesame@a.example/")); });
        CPPUNIT_ASSERT_MESSAGE(sentence, sentence.find("sesame") == std::string::npos);
    }

    static void testProxy() {
        for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
                 {"http://proxy.example:3128", "proxy.example 3128"},
                 {"HTTP://Proxy.Example:3128/", "proxy.example 3128"},
                 {"proxy.example:3128", "proxy.example 3128"},
                 {"proxy.example", "proxy.example 1080"},
                 {"http://proxy.example", "proxy.example 1080"},
                 {"http://[::1]:3128", "::1 3128"},
                 {"[::1]", "::1 1080"},
                 {"http://proxy.example:3128/ignored", "proxy.example 3128"},
             }) {
            const Proxy proxy = Proxy::parse(text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, expected, proxy.host + " " + std::to_string(proxy.port));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string(), proxy.authorization);
        }
    }

    static void testProxyCredentials() {
        for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
                 {"http://user:password@proxy", "Basic dXNlcjpwYXNzd29yZA=="},
                 {"user:password@proxy:1", "Basic dXNlcjpwYXNzd29yZA=="},
                 {"user@proxy", "Basic dXNlcjo="},
                 {"us%65r:p%40ss%3aw%2Frd%25@proxy", "Basic dXNlcjpwQHNzOncvcmQl"},
                 {"user:p@ss:word@proxy", "Basic dXNlcjpwQHNzOndvcmQ="},
                 {"user:a+b@proxy", "Basic dXNlcjphK2I="},
                 {"user:a b\r\n@proxy", "Basic dXNlcjphIGINCg=="},
             }) {
            const Proxy proxy = Proxy::parse(text);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, std::string("proxy"), proxy.host);
            CPPUNIT_ASSERT_EQUAL_MESSAGE(text, expected, proxy.authorization);
        }
        // Base64 in lines would be a header in lines.
        const std::string longOne = Proxy::parse("user:" + std::string(300, 'x') + "@proxy").authorization;
        CPPUNIT_ASSERT(longOne.find_first_of("\r\n") == std::string::npos);
    }

    static void testProxiesThatAreRefused() {
        for (const std::string text :
             {"socks5://user:sesame@proxy:1080", "https://user:sesame@proxy", "http://user:sesame@",
              "http://user:sesame@:3128", "http://user:sesame@proxy:0", "user:sesame@proxy:sesame",
              "user:ses%zzame@proxy", "user:sesame%4@proxy", "user:sesame%@proxy", "sesame%xx:a@proxy",
              "user:ses/ame@proxy", "user:sesame://@proxy:1", "user:se://same@proxy:1",
              "http://user:sesame@[::1", "http://user:sesame@[x]"}) {
            const std::string sentence = refusal(text, [&] { static_cast<void>(Proxy::parse(text)); });
            CPPUNIT_ASSERT(!sentence.empty());
            for (const char* const part : {"sesame", "ses", "same"}) {
                CPPUNIT_ASSERT_MESSAGE(text + ": " + sentence, sentence.find(part) == std::string::npos);
            }
        }
        CPPUNIT_ASSERT(refusal("socks5", [] {
                           static_cast<void>(Proxy::parse("socks5://proxy"));
                       }).find("socks5") != std::string::npos);
    }

    static void testEnvironment() {
        const std::string http = "http://a.example/";
        const std::string https = "https://a.example/";
        CPPUNIT_ASSERT_EQUAL(std::string(), proxyFor({}, http));
        CPPUNIT_ASSERT_EQUAL(std::string("p1"), proxyFor({{"http_proxy", "p1"}}, http));
        CPPUNIT_ASSERT_EQUAL(std::string(), proxyFor({{"http_proxy", "p1"}}, https));
        CPPUNIT_ASSERT_EQUAL(std::string(), proxyFor({{"HTTP_PROXY", "p1"}}, http));
        CPPUNIT_ASSERT_EQUAL(std::string(), proxyFor({{"HTTP_PROXY", "p1"}}, https));
        std::map<std::string, std::string> environment = {
            {"https_proxy", "p2"}, {"HTTPS_PROXY", "p3"}, {"all_proxy", "p4"}, {"ALL_PROXY", "p5"}};
        CPPUNIT_ASSERT_EQUAL(std::string("p4"), proxyFor(environment, http));
        for (const auto& [proxy, name] : std::vector<std::pair<std::string, std::string>>{
                 {"p2", "https_proxy"}, {"p3", "HTTPS_PROXY"}, {"p4", "all_proxy"}, {"p5", "ALL_PROXY"}}) {
            CPPUNIT_ASSERT_EQUAL(proxy, proxyFor(environment, https));
            environment[name] = "";  // as good as none
        }
        CPPUNIT_ASSERT_EQUAL(std::string(), proxyFor(environment, https));
        CPPUNIT_ASSERT_EQUAL(std::string("p5"), proxyFor({{"ALL_PROXY", "p5"}}, http));
        CPPUNIT_ASSERT_EQUAL(
            std::string(),
            proxyFor({{"no_proxy", "a.example"}, {"NO_PROXY", "b"}, {"http_proxy", "p1"}}, http));
        CPPUNIT_ASSERT_EQUAL(std::string(),
                             proxyFor({{"NO_PROXY", "a.example"}, {"http_proxy", "p1"}}, http));
        CPPUNIT_ASSERT_EQUAL(std::string("p1"), proxyFor({{"NO_PROXY", "b"}, {"http_proxy", "p1"}}, http));
    }

    static void testNoProxyNames() {
        for (const std::string entry : {"example.com", ".example.com", "Example.COM", "example.com."}) {
            for (const std::string url : {"http://example.com/", "https://API.example.com:8443/x",
                                          "http://a.b.example.com/", "http://api.example.com./"}) {
                CPPUNIT_ASSERT_MESSAGE(entry + " " + url, isDirect(entry, url));
            }
            for (const std::string url : {"http://badexample.com/", "http://example.com.evil.org/",
                                          "http://example.org/", "http://com/", "http://127.0.0.1/"}) {
                CPPUNIT_ASSERT_MESSAGE(entry + " " + url, !isDirect(entry, url));
            }
        }
        CPPUNIT_ASSERT(isDirect("*", "http://example.com/"));
        CPPUNIT_ASSERT(isDirect("*", "http://127.0.0.1/"));
        for (const std::string entry : {"", ".", "*.example.com", "mple.com"}) {
            CPPUNIT_ASSERT_MESSAGE(entry, !isDirect(entry, "http://api.example.com/"));
        }
    }

    static void testNoProxyAddresses() {
        for (const auto& [entry, url] : std::vector<std::pair<std::string, std::string>>{
                 {"127.0.0.1", "http://127.0.0.1:8080/"},
                 {"10.0.0.0/8", "http://10.255.1.2/"},
                 {"10.1.2.3/8", "http://10.255.1.2/"},
                 {"192.168.4.0/22", "http://192.168.7.255/"},
                 {"10.0.0.1/32", "http://10.0.0.1/"},
                 {"0.0.0.0/0", "http://8.8.8.8/"},
                 {"::1", "http://[::1]/"},
                 {"0:0::1", "http://[::1]:80/"},
                 {"fd00::/8", "http://[fd12:3456::1]/"},
                 {"2001:db8::/33", "http://[2001:db8:7fff::1]/"},
             }) {
            CPPUNIT_ASSERT_MESSAGE(entry + " " + url, isDirect(entry, url));
        }
        for (const auto& [entry, url] : std::vector<std::pair<std::string, std::string>>{
                 {"127.0.0.1", "http://127.0.0.2/"},
                 {"10.0.0.0/8", "http://11.0.0.1/"},
                 {"192.168.4.0/22", "http://192.168.8.0/"},
                 {"10.0.0.0/33", "http://10.0.0.0/"},
                 {"10.0.0.0/-1", "http://10.0.0.0/"},
                 {"10.0.0.0/", "http://10.0.0.0/"},
                 {"10.0.0.0/8x", "http://10.0.0.0/"},
                 {"0.0.0.0/0", "http://[::1]/"},
                 {"::/0", "http://127.0.0.1/"},
                 {"2001:db8::/33", "http://[2001:db8:8000::1]/"},
                 {"0.1", "http://127.0.0.1/"},
                 {"127.0.0.1", "http://name.127.0.0.1.example/"},
             }) {
            CPPUNIT_ASSERT_MESSAGE(entry + " " + url, !isDirect(entry, url));
        }
    }

    static void testNoProxyLists() {
        const std::string list = " , a.example,,\tb.example  c.example ,10.0.0.0/8,";
        for (const std::string host : {"a.example", "b.example", "x.c.example", "10.0.0.1"}) {
            CPPUNIT_ASSERT_MESSAGE(host, isDirect(list, "http://" + host + "/"));
        }
        CPPUNIT_ASSERT(!isDirect(list, "http://d.example/"));
    }

    static void testRoute() {
        const ProxyVariables set({{"all_proxy", "http://everywhere:1"}, {"no_proxy", "direct.example"}});
        const EnvironmentProxies environment;
        Endpoint endpoint;
        endpoint.caFile = "/ca.pem";
        const Route route = routeTo(Url::parse("https://API.example:8443/x"), endpoint, environment);
        CPPUNIT_ASSERT(route.tls);
        CPPUNIT_ASSERT_EQUAL(std::string("api.example"), route.host);
        CPPUNIT_ASSERT_EQUAL(8443, int{route.port});
        CPPUNIT_ASSERT_EQUAL(std::string("api.example:8443"), route.authority);
        CPPUNIT_ASSERT_EQUAL(std::string("/ca.pem"), route.caFile);
        CPPUNIT_ASSERT_EQUAL(std::string("everywhere"), route.proxy.value().host);
        const Url direct = Url::parse("https://direct.example/");
        CPPUNIT_ASSERT(!routeTo(direct, endpoint, environment).proxy);
        endpoint.proxy = "own:2";
        CPPUNIT_ASSERT_EQUAL(std::string("own"), routeTo(direct, endpoint, environment).proxy.value().host);
        endpoint.proxy = "socks5://own:2";
        CPPUNIT_ASSERT_THROW(routeTo(direct, endpoint, environment), std::invalid_argument);
    }

    static void testRouteKeys() {
        const ProxyVariables set({});
        const EnvironmentProxies environment;
        const auto key = [&](const std::string& url, const std::string& proxy = "",
                             const std::string& caFile = "") {
            Endpoint endpoint;
            endpoint.proxy = proxy;
            endpoint.caFile = caFile;
            return routeTo(Url::parse(url), endpoint, environment).key();
        };
        CPPUNIT_ASSERT_EQUAL(key("https://A.example/x"), key("https://a.example:443/y?z"));
        CPPUNIT_ASSERT_EQUAL(key("http://a/", "p:1080"), key("http://a/x", "http://p"));
        const std::vector<std::string> different = {
            key("http://a/"),
            key("https://a/"),
            key("http://a:443/"),
            key("http://b/"),
            key("https://a/", "", "/ca.pem"),
            key("https://a/", "", "/other.pem"),
            key("https://a/", "p:1"),
            key("https://a/", "p:2"),
            key("https://a/", "q:1"),
            key("https://a/", "user:a@p:1"),
            key("https://a/", "user:b@p:1"),
            key("https://a/", "p:1", "/ca.pem"),
            key("http://a/", "p:1"),
        };
        for (std::size_t i = 0; i < different.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                CPPUNIT_ASSERT_MESSAGE(different[i], different[i] != different[j]);
            }
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(RouteTest);

}  // namespace
}  // namespace sallyport::plugins::llm
