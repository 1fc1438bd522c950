#include "host/log/log.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

#include "tests/support/assertions.h"
#include "tests/support/deadline.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::log {
namespace {

using tests::readFile;
using tests::TemporaryDirectory;

/// Has standard error be another file while it lives.
class StandardErrorIs {
public:
    explicit StandardErrorIs(int descriptor) : saved_(::dup(STDERR_FILENO)) {
        CPPUNIT_ASSERT(::dup2(descriptor, STDERR_FILENO) >= 0);
    }
    ~StandardErrorIs() { ::dup2(saved_.get(), STDERR_FILENO); }
    StandardErrorIs(const StandardErrorIs&) = delete;
    StandardErrorIs& operator=(const StandardErrorIs&) = delete;

private:
    FileDescriptor saved_;
};

struct Ends {
    FileDescriptor reading;
    FileDescriptor writing;
};

/// A pipe that holds two pages.
Ends smallPipe() {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::pipe2(ends.data(), O_CLOEXEC));
    CPPUNIT_ASSERT_EQUAL(8192, ::fcntl(ends[1], F_SETPIPE_SZ, 8192));
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

Ends packetSockets() {
    std::array<int, 2> ends{};
    CPPUNIT_ASSERT_EQUAL(0, ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()));
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

/// What one read gives; empty when there is nothing.
std::string receive(const FileDescriptor& from) {
    pollfd waiting{from.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 0) <= 0) {
        return {};
    }
    std::array<char, 65536> buffer{};
    const ssize_t length = ::read(from.get(), buffer.data(), buffer.size());
    CPPUNIT_ASSERT(length >= 0);
    return {buffer.data(), static_cast<std::size_t>(length)};
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> result;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        result.push_back(line);
    }
    return result;
}

/// Without the time, whose length is fixed.
std::string timeless(const std::string& line) {
    return line.substr(25);
}

class LogTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(LogTest);
    CPPUNIT_TEST(testWritesToFile);
    CPPUNIT_TEST(testAppends);
    CPPUNIT_TEST(testFileThatCannotBeOpened);
    CPPUNIT_TEST(testLevelFilter);
    CPPUNIT_TEST(testReopenChangesLevelAndFormat);
    CPPUNIT_TEST(testReopenAfterRotation);
    CPPUNIT_TEST(testReopenFailureKeepsOldFile);
    CPPUNIT_TEST(testLoggerOutlivesSink);
    CPPUNIT_TEST(testFloodIsCounted);
    CPPUNIT_TEST(testWhatWasHeldBackIsSaidAtTheEnd);
    CPPUNIT_TEST(testThreadsNeverMixLines);
    CPPUNIT_TEST(testOneSystemCallForEachLine);
    CPPUNIT_TEST(testReaderGone);
    CPPUNIT_TEST(testSlowReaderLosesLines);
    CPPUNIT_TEST(testPartOfLineStaysApart);
    CPPUNIT_TEST(testDiskFull);
    CPPUNIT_TEST(testJournalPriorities);
    CPPUNIT_TEST(testOtherJournalStream);
    CPPUNIT_TEST(testParse);
    CPPUNIT_TEST_SUITE_END();

    TemporaryDirectory directory_;

    [[nodiscard]] std::string file(const char* name = "log") const { return (directory_ / name).string(); }

    [[nodiscard]] Sink::Options toFile(const char* name = "log") const {
        return {LogLevel::info, Format::text, file(name)};
    }

    void testWritesToFile() {
        Sink sink(toFile());
        sink.logger("http")->warn("slow", {{"ms", 12}});
        CPPUNIT_ASSERT_EQUAL(std::string("WARN  http: slow ms=12\n"), timeless(readFile(file())));
        CPPUNIT_ASSERT((std::filesystem::status(file()).permissions() & std::filesystem::perms::others_all) ==
                       std::filesystem::perms::none);
    }

    void testAppends() {
        tests::writeFile(file(), "before\n");
        Sink sink(toFile());
        sink.logger("http")->info("after");
        CPPUNIT_ASSERT_EQUAL(std::string("before"), lines(readFile(file())).front());
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, lines(readFile(file())).size());
    }

    void testFileThatCannotBeOpened() {
        try {
            const Sink sink(toFile("missing/log"));
            CPPUNIT_FAIL("opened");
        } catch (const std::runtime_error& problem) {
            ASSERT_CONTAINS(file("missing/log"), problem.what());
            ASSERT_CONTAINS("No such file", problem.what());
        }
    }

    void testLevelFilter() {
        Sink sink(toFile());
        const auto log = sink.logger("x");
        CPPUNIT_ASSERT(!log->enabled(LogLevel::debug));
        CPPUNIT_ASSERT(log->enabled(LogLevel::info));
        CPPUNIT_ASSERT(log->enabled(LogLevel::error));
        log->debug("unseen");
        log->info("seen");
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: seen\n"), timeless(readFile(file())));
    }

    void testReopenChangesLevelAndFormat() {
        Sink sink(toFile());
        const auto log = sink.logger("x");
        sink.reopen({LogLevel::debug, Format::json, file()});
        log->debug("seen");
        ASSERT_CONTAINS(R"("level":"debug","component":"x","message":"seen"})", readFile(file()));
    }

    void testReopenAfterRotation() {
        Sink sink(toFile());
        const auto log = sink.logger("x");
        log->info("one");
        std::filesystem::rename(file(), file("log.1"));
        log->info("two");
        sink.reopen(toFile());
        log->info("three");
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, lines(readFile(file("log.1"))).size());
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: three\n"), timeless(readFile(file())));
    }

    void testReopenFailureKeepsOldFile() {
        Sink sink(toFile());
        sink.reopen(toFile("missing/log"));
        sink.logger("x")->info("still here");
        const auto written = lines(readFile(file()));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, written.size());
        ASSERT_CONTAINS("ERROR log: log file not changed", written[0]);
        ASSERT_CONTAINS(file("missing/log"), written[0]);
        ASSERT_CONTAINS("still here", written[1]);
    }

    void testLoggerOutlivesSink() {
        std::unique_ptr<Logger> log;
        {
            Sink sink(toFile());
            log = sink.logger("x");
        }
        log->info("late");
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: late\n"), timeless(readFile(file())));
    }

    void testFloodIsCounted() {
        Sink sink(toFile());
        const auto log = sink.logger("x");
        // Until so many came within one second that some were held back.
        const auto counted = [this] {
            return readFile(file()).find(", and more like it more=") != std::string::npos;
        };
        const tests::Deadline deadline;
        for (int n = 0; !counted(); ++n) {
            CPPUNIT_ASSERT(deadline.pollTimeout() > 0);
            log->info("asked", {{"job", "j"}, {"request", n}});
            sink.writeHeld();
        }
        const std::string text = readFile(file());
        ASSERT_CONTAINS("INFO  x: asked job=j request=0\n", text);
        const std::size_t count = text.find("INFO  x: asked, and more like it more=");
        ASSERT_CONTAINS(" job=j\n", text.substr(count, text.find('\n', count) + 1 - count));
    }

    void testWhatWasHeldBackIsSaidAtTheEnd() {
        {
            Sink sink(toFile());
            const auto log = sink.logger("x");
            for (int n = 0; n < 1000; ++n) {
                log->warn("asked", {{"plugin", "p"}, {"job", "j"}, {"request", n}});
            }
        }
        const auto written = lines(readFile(file()));
        CPPUNIT_ASSERT(written.size() < 100);
        ASSERT_CONTAINS("WARN  x: asked, and more like it more=", written.back());
        ASSERT_CONTAINS(" plugin=p job=j", written.back());
        std::size_t told = 0;
        for (const std::string& line : written) {
            const auto more = line.find(" more=");
            told += more == std::string::npos ? 1 : std::stoul(line.substr(more + 6));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{1000}, told);
    }

    void testThreadsNeverMixLines() {
        constexpr int threads = 4;
        constexpr int each = 200;
        Sink sink(toFile());
        const std::string filling(300, 'x');
        std::vector<std::thread> writers;
        writers.reserve(threads);
        for (int i = 0; i < threads; ++i) {
            writers.emplace_back([&sink, &filling, i] {
                const auto log = sink.logger("t" + std::to_string(i));
                for (int n = 0; n < each; ++n) {
                    log->info("line", {{"filling", filling}, {"n", n}});
                }
            });
        }
        for (int i = 0; i < 10; ++i) {
            sink.reopen(toFile());
        }
        for (auto& writer : writers) {
            writer.join();
        }
        std::array<int, threads> next{};
        for (const std::string& line : lines(readFile(file()))) {
            const auto thread = static_cast<std::size_t>(timeless(line).at(7) - '0');
            const std::string expected = "INFO  t" + std::to_string(thread) + ": line filling=" + filling +
                                         " n=" + std::to_string(next.at(thread)++);
            CPPUNIT_ASSERT_EQUAL(expected, timeless(line));
        }
        CPPUNIT_ASSERT((next == std::array<int, threads>{each, each, each, each}));
    }

    static void testOneSystemCallForEachLine() {
        const Ends sockets = packetSockets();  // they keep what each call wrote apart
        const StandardErrorIs redirected(sockets.writing.get());
        Sink sink({});
        const auto log = sink.logger("x");
        log->info("one", {{"long", std::string(2000, 'x')}});
        log->info("two");
        CPPUNIT_ASSERT_EQUAL(25 + std::string("INFO  x: one long=").size() + 2000 + 1,
                             receive(sockets.reading).size());
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: two\n"), timeless(receive(sockets.reading)));
        CPPUNIT_ASSERT(receive(sockets.reading).empty());
    }

    static void testReaderGone() {
        std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
        Ends pipe = smallPipe();
        const StandardErrorIs redirected(pipe.writing.get());
        Sink sink({});
        pipe.reading.close();
        sink.logger("x")->error("nobody reads this");
        sink.logger("x")->error("nor this");
    }

    static void testSlowReaderLosesLines() {
        const Ends pipe = smallPipe();
        const StandardErrorIs redirected(pipe.writing.get());
        Sink sink({});
        const auto log = sink.logger("x");
        const std::string filling(1200, 'x');
        for (int i = 0; i < 10; ++i) {
            log->info("line", {{"filling", filling}, {"n", i}});
        }
        const auto before = lines(receive(pipe.reading));
        log->info("reader is back");
        const auto after = lines(receive(pipe.reading));
        CPPUNIT_ASSERT(!before.empty() && before.size() < 10);
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, after.size());
        CPPUNIT_ASSERT_EQUAL("WARN  log: lines were lost lines=" + std::to_string(10 - before.size()),
                             timeless(after[0]));
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: reader is back"), timeless(after[1]));
    }

    static void testPartOfLineStaysApart() {
        const Ends pipe = smallPipe();
        const StandardErrorIs redirected(pipe.writing.get());
        Sink sink({});
        const auto log = sink.logger("x");
        const std::string filling(2000, 'x');
        log->info("long", {{"a", filling}, {"b", filling}, {"c", filling}, {"d", filling}, {"e", filling}});
        const std::string part = receive(pipe.reading);
        CPPUNIT_ASSERT_EQUAL(std::size_t{8192}, part.size());
        log->info("next");
        const std::string rest = receive(pipe.reading);
        CPPUNIT_ASSERT_EQUAL('\n', rest.front());
        const auto after = lines(rest.substr(1));
        CPPUNIT_ASSERT_EQUAL(std::size_t{2}, after.size());
        CPPUNIT_ASSERT_EQUAL(std::string("WARN  log: lines were lost lines=1"), timeless(after[0]));
        CPPUNIT_ASSERT_EQUAL(std::string("INFO  x: next"), timeless(after[1]));
    }

    static void testDiskFull() {
        Sink sink({LogLevel::info, Format::text, "/dev/full"});
        sink.logger("x")->error("lost");
        sink.logger("x")->error("lost too");
    }

    static void testJournalPriorities() {
        const Ends sockets = packetSockets();
        const StandardErrorIs redirected(sockets.writing.get());
        pretendJournal(sockets.writing, 0);
        Sink sink({LogLevel::debug, Format::text, ""});
        ::unsetenv("JOURNAL_STREAM");
        const auto log = sink.logger("x");
        for (const LogLevel level : {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
            log->write(level, "m", {});
        }
        for (const char* const priority : {"<7>", "<6>", "<4>", "<3>"}) {
            CPPUNIT_ASSERT_EQUAL(std::string(priority), receive(sockets.reading).substr(0, 3));
        }
    }

    static void testOtherJournalStream() {
        const Ends sockets = packetSockets();
        const StandardErrorIs redirected(sockets.writing.get());
        pretendJournal(sockets.writing, 1);
        Sink sink({});
        ::unsetenv("JOURNAL_STREAM");
        sink.logger("x")->info("m");
        CPPUNIT_ASSERT_EQUAL('2', receive(sockets.reading).front());
    }

    /// Says in the environment that the descriptor leads to the journal, as systemd does.
    static void pretendJournal(const FileDescriptor& stream, unsigned error) {
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::fstat(stream.get(), &status));
        const std::string name = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino + error);
        ::setenv("JOURNAL_STREAM", name.c_str(), 1);
    }

    static void testParse() {
        CPPUNIT_ASSERT(parseLevel("debug") == LogLevel::debug);
        CPPUNIT_ASSERT(parseLevel("info") == LogLevel::info);
        CPPUNIT_ASSERT(parseLevel("warn") == LogLevel::warn);
        CPPUNIT_ASSERT(parseLevel("error") == LogLevel::error);
        CPPUNIT_ASSERT_THROW(static_cast<void>(parseLevel("INFO")), std::invalid_argument);
        CPPUNIT_ASSERT_THROW(static_cast<void>(parseLevel("")), std::invalid_argument);
        CPPUNIT_ASSERT(parseFormat("text") == Format::text);
        CPPUNIT_ASSERT(parseFormat("json") == Format::json);
        CPPUNIT_ASSERT_THROW(static_cast<void>(parseFormat("xml")), std::invalid_argument);
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LogTest);

}  // namespace
}  // namespace sallyport::host::log
