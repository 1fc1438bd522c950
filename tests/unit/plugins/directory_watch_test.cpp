#include "host/plugins/directory_watch.h"

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

#include "host/log/log.h"
#include "tests/support/assertions.h"
#include "tests/support/deadline.h"
#include "tests/support/temporary_directory.h"

namespace sallyport::host::plugins {
namespace {

namespace fs = std::filesystem;

/// What is expected is awaited, for as long as it takes. That something is not told of is seen by what is
/// told next.
class DirectoryWatchTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(DirectoryWatchTest);
    CPPUNIT_TEST(testRenamedIntoPlace);
    CPPUNIT_TEST(testWrittenInPlaceIsAwaited);
    CPPUNIT_TEST(testPausesInWritingAreAwaited);
    CPPUNIT_TEST(testRewrittenInPlaceIsAwaited);
    CPPUNIT_TEST(testSecondWriterIsAwaited);
    CPPUNIT_TEST(testWriterThatGivesUp);
    CPPUNIT_TEST(testLinksAreComplete);
    CPPUNIT_TEST(testRemoved);
    CPPUNIT_TEST(testOtherNamesMeanNothing);
    CPPUNIT_TEST(testRightsThatChange);
    CPPUNIT_TEST(testDirectoryThatIsMadeLater);
    CPPUNIT_TEST(testDirectoryThatIsReplaced);
    CPPUNIT_TEST(testDirectoryBehindALink);
    CPPUNIT_TEST(testWriterInADirectoryBesideOneThatIsReplaced);
    CPPUNIT_TEST(testWatchedFile);
    CPPUNIT_TEST(testOtherDirectories);
    CPPUNIT_TEST(testNothingIsWatchedAfterTheEnd);
    CPPUNIT_TEST(testFailureToActIsLogged);
    CPPUNIT_TEST_SUITE_END();

    tests::TemporaryDirectory directory_;
    log::Sink sink_{{LogLevel::info, log::Format::text, (directory_ / "log").string()}};
    std::unique_ptr<Logger> log_ = sink_.logger("plugins");
    std::mutex mutex_;
    std::condition_variable called_;
    int calls_ = 0;
    const fs::path plugins_ = directory_ / "plugins";
    const std::string file_ = (plugins_ / "a.so").string();
    DirectoryWatch watch_{*log_, [this] {
                              const std::lock_guard lock(mutex_);
                              ++calls_;
                              called_.notify_all();
                          }};

public:
    void setUp() override { fs::create_directory(plugins_); }

    void tearDown() override { watch_.stop(); }

private:
    void watchPlugins() { watch_.watch({{plugins_.string()}, {}}); }

    int calls() {
        const std::lock_guard lock(mutex_);
        return calls_;
    }

    void awaitCallAfter(int before) {
        std::unique_lock lock(mutex_);
        CPPUNIT_ASSERT_MESSAGE("nothing was noticed", called_.wait_for(lock, tests::failureLimit(),
                                                                       [&] { return calls_ > before; }));
    }

    /// Does it and awaits that it is noticed.
    template <class F>
    void notices(F action) {
        const int before = calls();
        action();
        awaitCallAfter(before);
    }

    /// Once this has been noticed, so was all that happened before.
    void noticeAnother(const fs::path& directory) {
        notices([&] {
            tests::writeFile(directory / "fresh", "x");
            fs::rename(directory / "fresh", directory / "another.so");
        });
    }

    static FileDescriptor open(const std::string& file, int flags) {
        FileDescriptor opened(::open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644));
        CPPUNIT_ASSERT(opened.open());
        return opened;
    }

    static void write(const FileDescriptor& file, std::string_view text) {
        CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(text.size()),
                             ::write(file.get(), text.data(), text.size()));
    }

    void testRenamedIntoPlace() {
        watchPlugins();
        notices([&] {
            tests::writeFile(directory_ / "fresh", "x");
            fs::rename(directory_ / "fresh", file_);
        });
        CPPUNIT_ASSERT(!watch_.isBeingWritten(file_));
    }

    void testWrittenInPlaceIsAwaited() {
        watchPlugins();
        auto copy = open(file_, O_CREAT);
        noticeAnother(plugins_);
        CPPUNIT_ASSERT(watch_.isBeingWritten(file_));
        write(copy, "half");
        noticeAnother(plugins_);
        CPPUNIT_ASSERT(watch_.isBeingWritten(file_));
        notices([&] { copy.close(); });
        CPPUNIT_ASSERT(!watch_.isBeingWritten(file_));
    }

    /// Far apart, as over a slow network: other things are noticed and settle meanwhile.
    void testPausesInWritingAreAwaited() {
        watchPlugins();
        auto copy = open(file_, O_CREAT);
        for (int i = 0; i < 3; ++i) {
            write(copy, "part");
            noticeAnother(plugins_);
            notices([&] { fs::remove(plugins_ / "another.so"); });
            CPPUNIT_ASSERT(watch_.isBeingWritten(file_));
        }
        notices([&] { copy.close(); });
    }

    void testRewrittenInPlaceIsAwaited() {
        tests::writeFile(file_, "before");
        watchPlugins();
        auto copy = open(file_, 0);
        write(copy, "af");
        noticeAnother(plugins_);
        CPPUNIT_ASSERT(watch_.isBeingWritten(file_));
        notices([&] { copy.close(); });
        CPPUNIT_ASSERT(!watch_.isBeingWritten(file_));
    }

    void testSecondWriterIsAwaited() {
        watchPlugins();
        auto first = open(file_, O_CREAT);
        auto second = open(file_, O_CREAT);
        write(first, "x");
        notices([&] { first.close(); });
        write(second, "y");
        noticeAnother(plugins_);
        CPPUNIT_ASSERT(watch_.isBeingWritten(file_));
        notices([&] { second.close(); });
        CPPUNIT_ASSERT(!watch_.isBeingWritten(file_));
    }

    void testWriterThatGivesUp() {
        watchPlugins();
        auto copy = open(file_, O_CREAT);
        write(copy, "half");
        notices([&] { fs::remove(file_); });
        CPPUNIT_ASSERT(!watch_.isBeingWritten(file_));
    }

    /// Nobody has them open for writing, and nobody will close them.
    void testLinksAreComplete() {
        tests::writeFile(directory_ / "original", "x");
        watchPlugins();
        notices([&] { fs::create_hard_link(directory_ / "original", plugins_ / "hard.so"); });
        notices([&] { fs::create_symlink(directory_ / "original", plugins_ / "soft.so"); });
        CPPUNIT_ASSERT(!watch_.isBeingWritten((plugins_ / "hard.so").string()));
        CPPUNIT_ASSERT(!watch_.isBeingWritten((plugins_ / "soft.so").string()));
    }

    void testRemoved() {
        tests::writeFile(file_, "x");
        tests::writeFile(plugins_ / "b.so", "x");
        watchPlugins();
        notices([&] { fs::remove(file_); });
        notices([&] { fs::rename(plugins_ / "b.so", directory_ / "b.so"); });
    }

    void testOtherNamesMeanNothing() {
        watchPlugins();
        for (const char* name : {"README", ".a.so.Xy12", ".in.a.so", "a.so.dpkg-new"}) {
            const auto hidden = open((plugins_ / name).string(), O_CREAT);
            write(hidden, "x");
        }
        const int before = calls();
        noticeAnother(plugins_);
        CPPUNIT_ASSERT_EQUAL(before + 1, calls());
        CPPUNIT_ASSERT(!watch_.isBeingWritten((plugins_ / ".in.a.so").string()));
    }

    /// `cp`, and then `chmod`: what was refused may be trusted now.
    void testRightsThatChange() {
        tests::writeFile(file_, "x");
        watchPlugins();
        notices([&] { ::chmod(file_.c_str(), 0600); });
        notices([&] { ::chmod(plugins_.c_str(), 0750); });
        notices([&] { ::chmod(directory_.path().c_str(), 0750); });
    }

    void testDirectoryThatIsMadeLater() {
        const auto late = directory_ / "some/where/plugins";
        watch_.watch({{late.string()}, {}});
        notices([&] { fs::create_directories(late); });
        noticeAnother(late);
        notices([&] { fs::remove_all(directory_ / "some"); });
        notices([&] { fs::create_directories(late); });
        noticeAnother(late);
    }

    void testDirectoryThatIsReplaced() {
        const auto next = directory_ / "next";
        fs::create_directory(next);
        tests::writeFile(next / "b.so", "x");
        watchPlugins();
        notices([&] {
            fs::rename(plugins_, directory_ / "old");
            fs::rename(next, plugins_);
        });
        noticeAnother(plugins_);
        notices([&] { fs::remove(plugins_ / "b.so"); });
    }

    void testDirectoryBehindALink() {
        const auto link = directory_ / "current";
        fs::create_directory(directory_ / "2");
        fs::create_symlink("plugins", link);
        watch_.watch({{link.string() + "/"}, {}});
        noticeAnother(plugins_);
        notices([&] {
            fs::create_symlink("2", directory_ / "next");
            fs::rename(directory_ / "next", link);
        });
        noticeAnother(directory_ / "2");
    }

    /// What is known of one directory stays known.
    void testWriterInADirectoryBesideOneThatIsReplaced() {
        const auto other = directory_ / "other";
        watch_.watch({{plugins_.string(), other.string()}, {}});
        auto copy = open(file_, O_CREAT);
        write(copy, "half");
        notices([&] { fs::create_directory(other); });
        noticeAnother(other);
        CPPUNIT_ASSERT(watch_.isBeingWritten(file_));
        notices([&] { copy.close(); });
        CPPUNIT_ASSERT(!watch_.isBeingWritten(file_));
    }

    void testWatchedFile() {
        const auto list = directory_ / "sums";
        watch_.watch({{}, {list.string()}});
        notices([&] { tests::writeFile(list, "x"); });
        notices([&] { tests::writeFile(list, "y"); });
        notices([&] {
            tests::writeFile(directory_ / "fresh", "z");
            fs::rename(directory_ / "fresh", list);
        });
    }

    void testOtherDirectories() {
        const auto other = directory_ / "other";
        fs::create_directory(other);
        watchPlugins();
        watch_.watch({{other.string()}, {}});
        const int before = calls();
        tests::writeFile(file_, "x");
        noticeAnother(other);
        CPPUNIT_ASSERT_EQUAL(before + 1, calls());
    }

    void testNothingIsWatchedAfterTheEnd() {
        watchPlugins();
        noticeAnother(plugins_);
        watch_.stop();
        watch_.stop();
        const int before = calls();
        tests::writeFile(file_, "x");
        watchPlugins();
        CPPUNIT_ASSERT_EQUAL(before, calls());
    }

    void testFailureToActIsLogged() {
        std::mutex mutex;
        std::condition_variable called;
        int times = 0;
        DirectoryWatch watch(*log_, [&] {
            const std::lock_guard lock(mutex);
            ++times;
            called.notify_all();
            throw std::runtime_error("no way");
        });
        watch.watch({{plugins_.string()}, {}});
        for (int i = 1; i <= 2; ++i) {
            tests::writeFile(directory_ / "fresh", "x");
            fs::rename(directory_ / "fresh", file_);
            std::unique_lock lock(mutex);
            CPPUNIT_ASSERT(called.wait_for(lock, tests::failureLimit(), [&] { return times >= i; }));
        }
        watch.stop();
        ASSERT_CONTAINS("no way", tests::readFile(directory_ / "log"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(DirectoryWatchTest);

}  // namespace
}  // namespace sallyport::host::plugins
