#include <string>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/errors.h>
#include <sallyport/testing/fake_host.h>
#include <sallyport/user_id.h>

namespace sallyport {
namespace {

class UserIdTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(UserIdTest);
    CPPUNIT_TEST(testWhatUsersAreCalled);
    CPPUNIT_TEST(testBody);
    CPPUNIT_TEST(testQuery);
    CPPUNIT_TEST(testDefault);
    CPPUNIT_TEST_SUITE_END();

    testing::FakeHost host_{"demo", {}};

    std::optional<std::string> asked(const std::string& query, const std::string& user, Role role) {
        Call::Parts parts;
        parts.query = query;
        return userInQuery(*testing::FakeHost::call(host_.callerOf(user, role), parts));
    }
    /// The status of the refusal.
    int refused(const std::string& query, const std::string& user, Role role) {
        try {
            static_cast<void>(asked(query, user, role));
        } catch (const RequestError& error) {
            return error.status();
        }
        return 0;
    }

    static void testWhatUsersAreCalled() {
        for (const char* name : {"a", "alice", "Alice.B_9@example.org", "a+b:c-d", "0"}) {
            CPPUNIT_ASSERT_MESSAGE(name, isUserId(name));
        }
        CPPUNIT_ASSERT(isUserId(std::string(128, 'x')));
        CPPUNIT_ASSERT(!isUserId(std::string(129, 'x')));
        for (const char* text : {"", "*", "a b", "a*", "a/b", "a\nb", "\xc3\xa9", "a%b"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !isUserId(text));
        }
        CPPUNIT_ASSERT(!isUserId(std::string_view("a\0b", 3)));
    }

    static void testBody() {
        const auto read = [](const std::string& text) { return userIn(json::Value::parse(text).object()); };
        CPPUNIT_ASSERT(!read("{}"));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), read(R"({"user_id":"alice"})").value());
        for (const char* body : {R"({"user_id":"*"})", R"({"user_id":""})", R"({"user_id":7})"}) {
            CPPUNIT_ASSERT_THROW_MESSAGE(body, static_cast<void>(read(body)), RequestError);
        }
    }

    void testDefault() {
        const auto owner = [this](Role role) { return ownerByDefault(*host_.callerOf("alice", role)); };
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), owner(Role::viewer));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), owner(Role::user));
        CPPUNIT_ASSERT_EQUAL(std::string("default"), owner(Role::admin));
        CPPUNIT_ASSERT_EQUAL(std::string("default"), owner(Role::auditor));
    }

    void testQuery() {
        CPPUNIT_ASSERT(!asked("limit=1", "alice", Role::user));
        CPPUNIT_ASSERT_EQUAL(std::string("alice"), asked("user_id=alice", "alice", Role::viewer).value());
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), asked("user_id=bob", "root", Role::admin).value());
        CPPUNIT_ASSERT_EQUAL(std::string("*"), asked("user_id=*", "root", Role::admin).value());
        CPPUNIT_ASSERT_EQUAL(std::string("*"), asked("user_id=*", "ada", Role::auditor).value());
        CPPUNIT_ASSERT_EQUAL(std::string("bob"), asked("user_id=bob", "box", Role::runner).value());
        for (const Role role : {Role::viewer, Role::user}) {
            CPPUNIT_ASSERT_EQUAL(404, refused("user_id=bob", "alice", role));
            CPPUNIT_ASSERT_EQUAL(404, refused("user_id=", "alice", role));
            CPPUNIT_ASSERT_EQUAL(403, refused("user_id=*", "alice", role));
            // No such user can be made any more; one that was made stands for itself at the most.
            CPPUNIT_ASSERT_EQUAL(403, refused("user_id=*", "*", role));
        }
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(UserIdTest);

}  // namespace
}  // namespace sallyport
