// docs/metrics.md has what the daemon and its plugins count, and nothing else.
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <dlfcn.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/testing/fake_host.h>

#include "host/http/server.h"
#include "host/metrics/registry.h"
#include "host/store/database.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::tests {

using namespace host;

class MetricsPageTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(MetricsPageTest);
    CPPUNIT_TEST(testHasWhatIsCounted);
    CPPUNIT_TEST_SUITE_END();

    using Rows = std::set<std::string>;

    static std::string row(const std::string& name, const std::string& kind,
                           const std::vector<std::string>& labels, const std::string& help) {
        std::string all;
        for (const auto& label : labels) {
            all += (all.empty() ? " `" : ", `") + label + "`";
        }
        return "| `" + name + "` | " + kind + " |" + all + " | " + help + " |";
    }

    /// The page's rows.
    static Rows written() {
        Rows rows;
        std::istringstream page(readFile(SALLYPORT_SOURCE_DIR "/docs/metrics.md"));
        for (std::string line; std::getline(page, line);) {
            if (line.starts_with("| `")) {
                rows.insert(line);
            }
        }
        return rows;
    }

    static void addHosts(Rows& rows) {
        const TemporaryDirectory directory;
        testing::RecordingLog log;
        metrics::Registry registry;
        const auto counted = registry.of({});
        store::Database database({.file = (directory / "sallyport.db").string()}, log, counted.get());
        auth::WorkerTokens workers;
        auth::Operators operators(database);
        const auth::Filter filter(workers, operators);
        bus::LiveHub hub(1024);
        http::Server server({}, filter, nullptr, hub, *counted, log);
        server.open({.realm = Realm::worker}, {});
        server.open({.realm = Realm::operators}, {});
        for (const auto& [name, shape, readings] : registry.read()) {
            std::vector<std::string> labels;
            for (const auto& label : shape->labels) {
                labels.push_back(label.name);
            }
            rows.insert(row(name, metrics::name(shape->kind), labels, shape->help));
        }
    }

    /// Those of the plugins that come with the daemon, which are started for that.
    static void addPlugins(Rows& rows) {
        std::size_t plugins = 0;
        for (const auto& entry : std::filesystem::directory_iterator(SALLYPORT_PLUGIN_PATH)) {
            if (entry.path().extension() != ".so") {
                continue;
            }
            ++plugins;
            // It stays loaded: what it left with the process may be its code.
            void* const library = ::dlopen(entry.path().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
            CPPUNIT_ASSERT_MESSAGE(entry.path().string(), library != nullptr);
            const auto* const plugin =
                static_cast<const PluginDescriptor*>(::dlsym(library, "sallyport_plugin"));
            CPPUNIT_ASSERT_MESSAGE(entry.path().string(), plugin != nullptr);
            testing::FakeHost host(*plugin);
            host.start();
            for (const auto& [name, kind, labels, help] : host.metrics()) {
                rows.insert(row(name, kind, labels, help));
            }
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, plugins);
    }

    static std::string joined(const Rows& rows) {
        std::string text;
        for (const auto& one : rows) {
            text += one + "\n";
        }
        return text;
    }

    void testHasWhatIsCounted() {
        Rows counted;
        addHosts(counted);
        addPlugins(counted);
        CPPUNIT_ASSERT_EQUAL(joined(counted), joined(written()));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(MetricsPageTest);

}  // namespace sallyport::tests
