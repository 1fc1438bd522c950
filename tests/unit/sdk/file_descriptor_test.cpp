#include <array>
#include <utility>

#include <fcntl.h>

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
};

CPPUNIT_TEST_SUITE_REGISTRATION(FileDescriptorTest);

}  // namespace
}  // namespace sallyport
