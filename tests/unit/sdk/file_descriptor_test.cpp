#include <array>
#include <cerrno>
#include <future>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/file_descriptor.h>

namespace sallyport {
namespace {

class FileDescriptorTest final : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(FileDescriptorTest);
    CPPUNIT_TEST(testClosesWhatItOwns);
    CPPUNIT_TEST(testNone);
    CPPUNIT_TEST(testMoves);
    CPPUNIT_TEST(testWritesAll);
    CPPUNIT_TEST_SUITE_END();

    static int opened() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
    static bool isOpen(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

    void testClosesWhatItOwns() {
        const int number = opened();
        {
            const FileDescriptor owner(number);
            CPPUNIT_ASSERT(owner.open() && isOpen(number));
            CPPUNIT_ASSERT_EQUAL(number, owner.get());
        }
        CPPUNIT_ASSERT(!isOpen(number));
        FileDescriptor owner(opened());
        const int early = owner.get();
        owner.close();
        CPPUNIT_ASSERT(!owner.open() && !isOpen(early));
        // The number may be another's by now.
        const FileDescriptor another(opened());
        owner.close();
        CPPUNIT_ASSERT(isOpen(another.get()));
    }

    void testNone() {
        CPPUNIT_ASSERT(!FileDescriptor().open());
        errno = ENOENT;
        CPPUNIT_ASSERT(!FileDescriptor(-1).open());
        CPPUNIT_ASSERT_EQUAL(ENOENT, errno);
    }

    void testMoves() {
        FileDescriptor first(opened());
        const int number = first.get();
        FileDescriptor second(std::move(first));
        CPPUNIT_ASSERT(!first.open());  // NOLINT(bugprone-use-after-move): that is what is tested
        CPPUNIT_ASSERT_EQUAL(number, second.get());
        FileDescriptor third(opened());
        const int replaced = third.get();
        third = std::move(second);
        CPPUNIT_ASSERT(!isOpen(replaced) && isOpen(number));
        FileDescriptor& same = third;
        third = std::move(same);
        CPPUNIT_ASSERT(third.open() && isOpen(number));
    }

    /// More than a pipe holds, to somebody who reads a little at a time.
    void testWritesAll() {
        std::array<int, 2> ends{};
        CPPUNIT_ASSERT(::pipe2(ends.data(), O_CLOEXEC) == 0);
        FileDescriptor reader(ends[0]);
        FileDescriptor writer(ends[1]);
        const std::string all(1'000'000, 'x');
        auto received = std::async(std::launch::async, [&] {
            std::size_t size = 0;
            std::array<char, 1000> piece{};
            for (ssize_t got = 1; got > 0; size += static_cast<std::size_t>(got)) {
                got = ::read(reader.get(), piece.data(), piece.size());
            }
            return size;
        });
        CPPUNIT_ASSERT(writeAll(writer.get(), all));
        writer.close();
        CPPUNIT_ASSERT_EQUAL(all.size(), received.get());
        errno = 0;
        CPPUNIT_ASSERT(!writeAll(reader.get(), "it is for reading"));
        CPPUNIT_ASSERT_EQUAL(EBADF, errno);
        CPPUNIT_ASSERT(writeAll(-1, ""));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(FileDescriptorTest);

}  // namespace
}  // namespace sallyport
