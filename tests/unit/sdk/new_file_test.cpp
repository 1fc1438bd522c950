#include <csignal>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/new_file.h>

#include "tests/support/assertions.h"
#include "tests/support/temporary_directory.h"

namespace {

/// What the disk was asked for, in order, and what it refuses.
struct Disk {
    std::vector<std::string> calls;
    std::set<std::string> failing;
    /// The process ends right before this call, counted from 1; 0 for none.
    std::size_t endsBefore = 0;
};
Disk* disk = nullptr;

/// @return whether the call is to fail, with `errno` set.
bool refuses(const std::string& call) {
    if (disk == nullptr) {
        return false;
    }
    disk->calls.push_back(call);
    if (disk->calls.size() == disk->endsBefore) {
        ::_exit(0);
    }
    errno = EIO;
    return disk->failing.count(call) > 0;
}

}  // namespace

// In place of those of the C library, for this program.
extern "C" int fsync(int descriptor) {
    struct stat status {};
    ::fstat(descriptor, &status);
    if (refuses(S_ISDIR(status.st_mode) ? "sync directory" : "sync file")) {
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}
extern "C" int rename(const char* from, const char* to) noexcept {
    return refuses("rename") ? -1
                             : static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

namespace sallyport {
namespace {

using Existing = NewFile::Existing;

class NewFileTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(NewFileTest);
    CPPUNIT_TEST(testContentLastsBeforeTheName);
    CPPUNIT_TEST(testModeIsWhatWasAskedFor);
    CPPUNIT_TEST(testUnpublishedFileIsRemoved);
    CPPUNIT_TEST(testKeptFileStaysBesideItsTarget);
    CPPUNIT_TEST(testExistingFileIsKept);
    CPPUNIT_TEST(testLinksAreReplaced);
    CPPUNIT_TEST(testUniqueNames);
    CPPUNIT_TEST(testWhatCannotBeCreated);
    CPPUNIT_TEST(testFullDisk);
    CPPUNIT_TEST(testEachStepMayFail);
    CPPUNIT_TEST(testEachStepMayBeTheLast);
    CPPUNIT_TEST_SUITE_END();

    const tests::TemporaryDirectory directory_;
    const std::string target_ = (directory_ / "target").string();
    Disk disk_;

public:
    void tearDown() override { disk = nullptr; }

private:
    [[nodiscard]] std::string names() const {
        std::set<std::string> sorted;
        for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
            sorted.insert(entry.path().filename());
        }
        std::string text;
        for (const std::string& name : sorted) {
            text += (text.empty() ? "" : " ") + name;
        }
        return text;
    }

    [[nodiscard]] std::string content() const { return tests::readFile(target_); }

    void replace(const std::string& text) const {
        NewFile file(target_);
        file.write(text);
        file.publish();
    }

    /// The problem of what `act` throws.
    template <class Act>
    static std::string problem(Act act) {
        try {
            act();
        } catch (const FileError& error) {
            CPPUNIT_ASSERT_EQUAL("\"" + error.file() + "\" " + error.problem(), std::string(error.what()));
            return error.problem();
        }
        return "none";
    }

    void testContentLastsBeforeTheName() {
        tests::writeFile(target_, "old");
        disk = &disk_;
        NewFile file(target_);
        file.write("ne");
        file.write("w");
        CPPUNIT_ASSERT_EQUAL(std::string("old"), content());
        file.publish();
        CPPUNIT_ASSERT_EQUAL(std::string("new"), content());
        CPPUNIT_ASSERT((std::vector<std::string>{"sync file", "rename", "sync directory"}) == disk_.calls);
        CPPUNIT_ASSERT_EQUAL(std::string("target"), names());
    }

    void testModeIsWhatWasAskedFor() {
        tests::writeFile(target_, "old");
        CPPUNIT_ASSERT_EQUAL(0, ::chmod(target_.c_str(), 0644));
        replace("new");
        struct stat status {};
        CPPUNIT_ASSERT_EQUAL(0, ::stat(target_.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0600}, status.st_mode & 07777U);
        CPPUNIT_ASSERT_EQUAL(::geteuid(), status.st_uid);
        const mode_t mask = ::umask(027);
        NewFile(target_, {.mode = 0666}).publish();
        ::umask(mask);
        CPPUNIT_ASSERT_EQUAL(0, ::stat(target_.c_str(), &status));
        CPPUNIT_ASSERT_EQUAL(mode_t{0640}, status.st_mode & 07777U);
    }

    void testUnpublishedFileIsRemoved() {
        tests::writeFile(target_, "old");
        {
            NewFile file(target_);
            file.write("new");
            file.sync();
            CPPUNIT_ASSERT_EQUAL(std::string("target target.new"), names());
        }
        CPPUNIT_ASSERT_EQUAL(std::string("target"), names());
        CPPUNIT_ASSERT_EQUAL(std::string("old"), content());
    }

    void testKeptFileStaysBesideItsTarget() {
        tests::writeFile(target_, "old");
        disk = &disk_;
        {
            NewFile file(target_);
            file.write("next");
            file.keep();
        }
        CPPUNIT_ASSERT((std::vector<std::string>{"sync file", "sync directory"}) == disk_.calls);
        CPPUNIT_ASSERT_EQUAL(std::string("old"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("next"), tests::readFile(target_ + NewFile::fixedMark));
        disk_ = {{}, {"sync directory"}};
        CPPUNIT_ASSERT_THROW(NewFile(target_).keep(), FileError);
        CPPUNIT_ASSERT_EQUAL(std::string("target"), names());
    }

    void testExistingFileIsKept() {
        NewFile(target_).publish(Existing::refuse);
        tests::writeFile(target_, "old");
        NewFile file(target_);
        CPPUNIT_ASSERT_EQUAL(std::string("is there already"),
                             problem([&] { file.publish(Existing::refuse); }));
        CPPUNIT_ASSERT_EQUAL(std::string("old"), content());
    }

    void testLinksAreReplaced() {
        const std::string elsewhere = (directory_ / "elsewhere").string();
        tests::writeFile(elsewhere, "kept");
        std::filesystem::create_symlink(elsewhere, target_);
        std::filesystem::create_symlink(elsewhere, target_ + NewFile::fixedMark);
        replace("new");
        CPPUNIT_ASSERT_EQUAL(std::string("kept"), tests::readFile(elsewhere));
        CPPUNIT_ASSERT(std::filesystem::is_regular_file(std::filesystem::symlink_status(target_)));
        CPPUNIT_ASSERT_EQUAL(std::string("new"), content());
    }

    void testUniqueNames() {
        NewFile first(target_, {.unique = true});
        NewFile second(target_, {.unique = true});
        CPPUNIT_ASSERT(first.path() != second.path());
        CPPUNIT_ASSERT(first.path().starts_with(target_ + NewFile::uniqueMark));
        CPPUNIT_ASSERT_EQUAL(directoryOf(target_), directoryOf(first.path()));
        first.write("first");
        second.write("second");
        second.publish();
        first.publish();
        CPPUNIT_ASSERT_EQUAL(std::string("first"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("target"), names());
        CPPUNIT_ASSERT_EQUAL(std::string("."), directoryOf("name"));
    }

    void testWhatCannotBeCreated() {
        const std::string nowhere = (directory_ / "none" / "target").string();
        CPPUNIT_ASSERT_EQUAL(std::string("cannot be created: No such file or directory"),
                             problem([&] { NewFile file(nowhere); }));
        CPPUNIT_ASSERT_EQUAL(std::string("cannot be created: No such file or directory"),
                             problem([&] { NewFile file(nowhere, {.unique = true}); }));
        std::filesystem::create_directory(target_ + NewFile::fixedMark);
        CPPUNIT_ASSERT_EQUAL(std::string("cannot be removed: Is a directory"),
                             problem([&] { NewFile file(target_); }));
        std::filesystem::create_directory(target_);
        NewFile file(target_, {.unique = true});
        CPPUNIT_ASSERT_EQUAL(std::string("cannot be put in place: Is a directory"),
                             problem([&] { file.publish(); }));
    }

    void testFullDisk() {
        tests::writeFile(target_, "old");
        rlimit before{};
        CPPUNIT_ASSERT_EQUAL(0, ::getrlimit(RLIMIT_FSIZE, &before));
        const auto handler = std::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{4, before.rlim_max};
        CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_FSIZE, &small));
        const std::string sentence = problem([&] { replace("too long"); });
        CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_FSIZE, &before));
        std::signal(SIGXFSZ, handler);
        CPPUNIT_ASSERT_EQUAL(std::string("cannot be written: File too large"), sentence);
        CPPUNIT_ASSERT_EQUAL(std::string("old"), content());
        CPPUNIT_ASSERT_EQUAL(std::string("target"), names());
    }

    void testEachStepMayFail() {
        struct Case {
            std::string call, problem, content;
        };
        for (const auto& [call, expected, after] :
             {Case{"sync file", "cannot be written to disk: Input/output error", "old"},
              Case{"rename", "cannot be put in place: Input/output error", "old"},
              // In place, though a power failure may bring the old one back.
              Case{"sync directory", "cannot be written to disk: Input/output error", "new"}}) {
            tests::writeFile(target_, "old");
            disk_ = {{}, {call}};
            disk = &disk_;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(call, expected, problem([&] { replace("new"); }));
            disk = nullptr;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(call, after, content());
            CPPUNIT_ASSERT_EQUAL_MESSAGE(call, std::string("target"), names());
        }
    }

    void testEachStepMayBeTheLast() {
        const std::vector<std::pair<std::string, std::string>> after{
            {"old", "target target.new"}, {"old", "target target.new"}, {"new", "target"}};
        for (std::size_t step = 1; step <= after.size(); ++step) {
            tests::writeFile(target_, "old");
            const pid_t child = ::fork();
            if (child == 0) {
                Disk ending;
                ending.endsBefore = step;
                disk = &ending;
                replace("new");
                ::_exit(1);
            }
            int status = 0;
            CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
            CPPUNIT_ASSERT_EQUAL(0, status);
            CPPUNIT_ASSERT_EQUAL(after[step - 1].first, content());
            CPPUNIT_ASSERT_EQUAL(after[step - 1].second, names());
            replace("again");  // what was left is no obstacle
            CPPUNIT_ASSERT_EQUAL(std::string("again"), content());
            CPPUNIT_ASSERT_EQUAL(std::string("target"), names());
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(NewFileTest);

}  // namespace
}  // namespace sallyport
