#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/ascii.h>
#include <sallyport/errors.h>
#include <sallyport/file_descriptor.h>
#include <sallyport/secrets.h>
#include <sallyport/testing/fake_host.h>

#include "plugins/llm/llm_plugin.h"
#include "tests/support/assertions.h"
#include "tests/support/connect_proxy.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tls_identity.h"

namespace sallyport::plugins::llm {

namespace {

using Scope = Examination::Scope;
using testing::describe;
using testing::ExaminationOptions;
using testing::FakeHost;
using tests::writeFile;

/// Has one secret, `long` of the user `default`, and refuses all others.
class OneSecret final : public SecretVault {
public:
    SecretText reveal(std::string_view plugin, const std::string& user, const std::string& asked) override {
        const std::string name = ascii::lowered(asked);
        CPPUNIT_ASSERT_EQUAL(std::string("llm"), std::string(plugin));
        if (user == "default" && name == "long") {
            return SecretText::copyOf("sk-in-the-vault");
        }
        if (name == "short") {
            return SecretText::copyOf("Kx4-w");
        }
        const int status = name == "vault_sealed" ? 503 : name == "secret_missing" ? 404 : 409;
        throw RequestError(status, name, "refused");
    }
};

/// What the plugin finds when it looks itself over.
class LlmExaminationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LlmExaminationTest);
    CPPUNIT_TEST(testNothingIsSaidOfTheEcho);
    CPPUNIT_TEST(testSettings);
    CPPUNIT_TEST(testKeyInAFile);
    CPPUNIT_TEST(testKeyThatOthersCanRead);
    CPPUNIT_TEST(testKeyInTheEnvironment);
    CPPUNIT_TEST(testKeyInTheVault);
    CPPUNIT_TEST(testScopes);
    CPPUNIT_TEST(testOtherUsersAreToldNothingOfKeys);
    CPPUNIT_TEST(testNobodyIsAskedWithoutANetwork);
    CPPUNIT_TEST(testReachable);
    CPPUNIT_TEST(testUnreachable);
    CPPUNIT_TEST(testCertificates);
    CPPUNIT_TEST(testProxies);
    CPPUNIT_TEST_SUITE_END();

    static constexpr const char* there = "ok keys: llm.provider.a.key: the key is there\n";

    tests::TemporaryDirectory here_;
    FakeHost::Values values_{{"llm.providers", "a"},
                             {"llm.provider.a.type", "openai"},
                             {"llm.provider.a.base_url", "https://models.example/v1"}};
    std::shared_ptr<SecretVault> vault_ = std::make_shared<OneSecret>();

    void set(const std::string& key, const std::string& value) { values_.emplace_back("llm." + key, value); }

    /// The findings, a line each.
    std::string found(const ExaminationOptions& options = {}) {
        FakeHost host("llm", llmSettings, values_);
        if (vault_) {
            host.offer<SecretVault>(vault_);
        }
        std::string text;
        for (const Finding& finding : host.examine(std::make_unique<LlmPlugin>(), options)) {
            text += describe(finding) + "\n";
        }
        return text;
    }

    void testNothingIsSaidOfTheEcho() {
        values_.clear();
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.network = true}));
    }

    void testSettings() {
        struct Wrong {
            const char* key;
            const char* value;
            const char* problem;
        };
        for (const Wrong& wrong :
             {Wrong{"provider.a.type", "other", "llm.provider.a.type"},
              Wrong{"limit.cost", "much", "llm.limit.cost is much"}, Wrong{"prices", "x", "llm.prices"},
              Wrong{"max_tokens_name", "x", "llm.max_tokens_name is x"},
              Wrong{"provider.a.script", "/no/script", "/no/script"}}) {
            const FakeHost::Values before = values_;
            set(wrong.key, wrong.value);
            const std::string all = found({.scope = Scope::configuration});
            CPPUNIT_ASSERT_MESSAGE(all, all.starts_with("failed configuration: "));
            ASSERT_CONTAINS(wrong.problem, all);
            ASSERT_CONTAINS("; the plugin llm does not start with that\n", all);
            values_ = before;
        }
    }

    void testKeyInAFile() {
        const std::string file = (here_ / "key").string();
        set("provider.a.key", "file:" + file);
        for (const Scope scope : {Scope::configuration, Scope::everything}) {
            std::filesystem::remove(file);
            ASSERT_CONTAINS("failed keys: llm.provider.a.key: " + file +
                                " cannot be read by tester (No such file or directory): put the key there",
                            found({.scope = scope}));
            writeKey(file, " \n");
            ASSERT_CONTAINS("failed keys: llm.provider.a.key: " + file + " is empty: put the key there",
                            found({.scope = scope}));
            writeKey(file, "h7-Qz\n");
            const std::string tooShort = found({.scope = scope});
            ASSERT_CONTAINS(
                "failed keys: llm.provider.a.key: the key cannot be used: it has fewer than 8 characters",
                tooShort);
            ASSERT_LACKS("h7-Qz", tooShort);
            writeKey(file, "sk-in-a-file\n");
            CPPUNIT_ASSERT_EQUAL(std::string(there), found({.scope = scope}));
        }
    }

    static void writeKey(const std::string& file, const std::string& text) {
        writeFile(file, text);
        std::filesystem::permissions(file, std::filesystem::perms(0600));
    }

    void testKeyThatOthersCanRead() {
        const std::string file = (here_ / "key").string();
        set("provider.a.key", "file:" + file);
        writeKey(file, "sk-in-a-file\n");
        std::filesystem::permissions(file, std::filesystem::perms(0644));
        CPPUNIT_ASSERT_EQUAL(there + ("warning keys: llm.provider.a.key: everybody can read " + file +
                                      ": run chmod o-r " + file + "\n"),
                             found());
    }

    void testKeyInTheEnvironment() {
        set("provider.a.key", "env:KEY");
        CPPUNIT_ASSERT_EQUAL(std::string(there), found({.variables = {{"KEY", "sk-in-the-environment"}}}));
        ASSERT_CONTAINS("failed keys: llm.provider.a.key: the key cannot be used: it has fewer than 8",
                        found({.variables = {{"KEY", "h7-Qz"}}}));
        ASSERT_CONTAINS("failed keys: llm.provider.a.key: the daemon's environment has no KEY: set it",
                        found());
        ASSERT_CONTAINS(
            "warning keys: llm.provider.a.key: whether the daemon's environment has KEY cannot be seen",
            found({.unseen = {"KEY"}}));
        // It may be set for the daemon.
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.scope = Scope::configuration, .unseen = {"KEY"}}));
    }

    void testKeyInTheVault() {
        const FakeHost::Values before = values_;
        const auto with = [&](const std::string& secret) {
            values_ = before;
            set("provider.a.key", "secret:" + secret);
            return found();
        };
        const std::string failed = "failed keys: llm.provider.a.key: the secret ";
        CPPUNIT_ASSERT_EQUAL(std::string(there), with("long"));
        ASSERT_CONTAINS(failed + "long of user bob", with("bob/long"));
        ASSERT_CONTAINS(failed +
                            "secret_missing of user default is not there: run sallyport secret set --user "
                            "default secret_missing",
                        with("Secret_Missing"));
        ASSERT_CONTAINS(failed + "secret_expired of user default has expired: run", with("secret_expired"));
        ASSERT_CONTAINS(failed + "secret_not_allowed of user default cannot be had: refused",
                        with("secret_not_allowed"));
        const std::string tooShort = with("short");
        ASSERT_CONTAINS(failed + "short of user default cannot be used: it has fewer than 8 characters",
                        tooShort);
        ASSERT_LACKS("Kx4-w", tooShort);
        // The plugin that keeps them says so.
        CPPUNIT_ASSERT_EQUAL(std::string(there), with("vault_sealed"));
        vault_.reset();
        ASSERT_CONTAINS(failed + "long of user default cannot be had: no plugin that keeps secrets",
                        with("long"));
    }

    void testScopes() {
        set("provider.a.key", "secret:secret_missing");
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.scope = Scope::configuration}));
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.scope = Scope::restored}));
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.store = false}));
    }

    void testOtherUsersAreToldNothingOfKeys() {
        set("provider.a.key", "file:/no/key");
        CPPUNIT_ASSERT_EQUAL(std::string(), found({.daemonsRights = false}));
    }

    void testNobodyIsAskedWithoutANetwork() {
        const tests::FakeUpstream upstream;
        set("provider.a.base_url", upstream.url());
        CPPUNIT_ASSERT_EQUAL(std::string(), found());
        CPPUNIT_ASSERT_EQUAL(std::size_t{0}, upstream.connections());
    }

    void testReachable() {
        const tests::FakeUpstream upstream;
        set("provider.a.base_url", upstream.url());
        CPPUNIT_ASSERT_EQUAL("ok upstream: a (" + upstream.url() + ") can be reached\n",
                             found({.network = true}));
        CPPUNIT_ASSERT(upstream.requests().empty());
        set("provider.a.base_url", "http://localhost:" + std::to_string(upstream.port()));
        ASSERT_CONTAINS("can be reached", found({.network = true}));
    }

    void testUnreachable() {
        const tests::RefusingPort refusing;
        const tests::DeafPort deaf;
        const tests::UnreachablePort unreachable;
        const std::string nowhere = "http://" + std::string(64, 'a') + ".invalid:1/v1";
        set("timeout.connect", "300ms");
        for (const auto& [url, problem] : std::vector<std::pair<std::string, std::string>>{
                 {refusing.url(),
                  "Connection refused: see that it is up, that llm.provider.a.base_url is right"},
                 {deaf.url("https"), "there was no answer in time: see that it is up"},
                 {unreachable.url(), "there was no answer in time: see that it is up"},
                 {nowhere,
                  "see that llm.provider.a.base_url is right and that this machine can look names up"}}) {
            set("provider.a.base_url", url);
            const std::string all = found({.network = true});
            ASSERT_CONTAINS("failed upstream: a (" + url + "): ", all);
            ASSERT_CONTAINS(problem, all);
        }
    }

    void testCertificates() {
        const tests::CertificateAuthority authority;
        const std::string file = (here_ / "ca.pem").string();
        writeFile(file, authority.certificate());
        const tests::FakeUpstream good(authority.issue("127.0.0.1"));
        const tests::FakeUpstream other(authority.issue("other.example"));
        const tests::FakeUpstream old(authority.issue("127.0.0.1", false));
        set("provider.a.base_url", good.url());
        ASSERT_CONTAINS("it is not shown to be who it should be, and gets no key", found({.network = true}));
        set("provider.a.ca_file", file);
        ASSERT_CONTAINS("ok upstream: ", found({.network = true}));
        for (const tests::FakeUpstream* upstream : {&other, &old}) {
            set("provider.a.base_url", upstream->url());
            ASSERT_CONTAINS("it is not shown to be who it should be", found({.network = true}));
        }
        const tests::DeafPort plain;
        std::thread server([&plain] {
            const FileDescriptor client = plain.accept();
            std::array<char, 1024> greeting{};
            static_cast<void>(::read(client.get(), greeting.data(), greeting.size()));
            static_cast<void>(::write(client.get(), "HTTP/1.1 400 Bad Request\r\n\r\n", 28));
            static_cast<void>(::read(client.get(), greeting.data(), greeting.size()));
        });
        set("provider.a.base_url", plain.url("https"));
        const std::string answered = found({.network = true});
        server.join();
        ASSERT_CONTAINS("see that llm.provider.a.base_url should be https at all", answered);
        writeFile(file, "");
        ASSERT_CONTAINS("let llm.provider.a.ca_file be a readable file of certificates",
                        found({.network = true}));
    }

    void testProxies() {
        const tests::FakeUpstream upstream;
        const tests::ConnectProxy proxy(upstream.port());
        const tests::RefusingPort refusing;
        set("provider.a.base_url", "http://models.example:1/v1");
        set("provider.a.proxy", proxy.url());
        ASSERT_CONTAINS("can be reached", found({.network = true}));
        set("provider.a.proxy", refusing.url());
        ASSERT_CONTAINS("Connection refused", found({.network = true}));
        set("provider.a.proxy", "http://" + std::string(64, 'a') + ".invalid:1");
        ASSERT_CONTAINS("see that llm.provider.a.proxy (or https_proxy) is right", found({.network = true}));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LlmExaminationTest);

}  // namespace

}  // namespace sallyport::plugins::llm
