#include "host/plugins/declaration.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>

#include <elf.h>

#include <cppunit/extensions/HelperMacros.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::plugins {
namespace {

/// Reads plugins of the house, whole and spoilt.
class DeclarationTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DeclarationTest);
    CPPUNIT_TEST(testReadsWhatThePluginSays);
    CPPUNIT_TEST(testReadsItsKeys);
    CPPUNIT_TEST(testWhatIsNoObject);
    CPPUNIT_TEST(testOtherMachines);
    CPPUNIT_TEST(testEveryCutIsNoticed);
    CPPUNIT_TEST(testHoleAtTheEndIsNoticed);
    CPPUNIT_TEST(testSpoiltFilesDoNoHarm);
    CPPUNIT_TEST_SUITE_END();

    const std::string prompts_ = tests::readFile(SALLYPORT_PLUGIN_PATH "/prompts.so");

    static std::string refusal(const std::string& bytes) {
        try {
            static_cast<void>(settingsIn(ObjectFile(bytes)));
        } catch (const Refused& refused) {
            return refused.what();
        }
        return "accepted";
    }

    void testReadsWhatThePluginSays() {
        const auto declaration = declarationIn(ObjectFile(prompts_));
        CPPUNIT_ASSERT_EQUAL(std::string("prompts"), declaration.name);
        CPPUNIT_ASSERT(!declaration.version.empty());
        CPPUNIT_ASSERT(!declaration.summary.empty());
    }

    void testReadsItsKeys() {
        const auto settings = settingsIn(ObjectFile(prompts_));
        const auto queued = std::find_if(settings.begin(), settings.end(), [](const Setting& setting) {
            return std::strcmp(setting.key, "max_queued") == 0;
        });
        CPPUNIT_ASSERT(queued != settings.end());
        CPPUNIT_ASSERT(queued->kind == SettingKind::integer);
        CPPUNIT_ASSERT_EQUAL(std::string("1000"), std::string(queued->defaultValue));
        CPPUNIT_ASSERT(queued->low > 0);
        CPPUNIT_ASSERT(std::strlen(queued->help) > 0);
    }

    static void testWhatIsNoObject() {
        for (const std::string& bytes :
             {std::string(), std::string("This is a text.\n"), std::string(64, '\0'), std::string("\177ELF"),
              std::string("\177ELF") + std::string(100, 'x')}) {
            CPPUNIT_ASSERT_EQUAL(std::string("it is no shared object"), refusal(bytes));
        }
    }

    void testOtherMachines() {
        auto bytes = prompts_;
        bytes[EI_CLASS] = ELFCLASS32;
        ASSERT_CONTAINS("another kind of machine", refusal(bytes));
        bytes = prompts_;
        bytes[offsetof(Elf64_Ehdr, e_machine)] = 1;
        ASSERT_CONTAINS("another kind of machine", refusal(bytes));
    }

    void testEveryCutIsNoticed() {
        for (std::size_t size = sizeof(Elf64_Ehdr); size < prompts_.size(); size += 49'999) {
            ASSERT_CONTAINS("cut off", refusal(prompts_.substr(0, size)));
        }
        ASSERT_CONTAINS("cut off", refusal(prompts_.substr(0, prompts_.size() - 1)));
    }

    /// A copy that has made its file as long as it will be, and then writes from front to back.
    void testHoleAtTheEndIsNoticed() {
        for (const std::size_t hole : {std::size_t{4096}, prompts_.size() / 2}) {
            auto bytes = prompts_;
            std::fill(bytes.end() - static_cast<std::ptrdiff_t>(hole), bytes.end(), '\0');
            ASSERT_CONTAINS("cut off", refusal(bytes));
        }
    }

    /// Whatever is changed: it is accepted or refused, and the sanitizers find nothing.
    void testSpoiltFilesDoNoHarm() {
        std::mt19937 random(20261123);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
        const std::size_t tables = prompts_.size() - std::min<std::size_t>(prompts_.size(), 4096);
        for (int i = 0; i < 400; ++i) {
            auto bytes = prompts_;
            for (int changes = 0; changes < 8; ++changes) {
                const bool front = random() % 2 == 0;
                const auto at = front ? random() % 1024 : tables + random() % (bytes.size() - tables);
                bytes[at] = static_cast<char>(random());
            }
            CPPUNIT_ASSERT(!refusal(bytes).empty());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DeclarationTest);

}  // namespace
}  // namespace sallyport::host::plugins
