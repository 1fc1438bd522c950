#include "host/auth/permissions.h"

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <cppunit/extensions/HelperMacros.h>

#include <sallyport/permission.h>

#include "tests/support/temporary_directory.h"

namespace sallyport::host::auth {
namespace {

/// Cells of the tables in docs/api.md whose first cell is a permission.
std::map<std::string, std::vector<std::string>> documentedPermissions() {
    std::map<std::string, std::vector<std::string>> rows;
    std::istringstream in(tests::readFile(SALLYPORT_SOURCE_DIR "/docs/api.md"));
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("| ")) {
            inside = false;
            continue;
        }
        inside |= line.starts_with("| permission |");
        if (!inside || line.find('`') == std::string::npos) {
            continue;
        }
        std::vector<std::string> cells;
        std::istringstream row(line.substr(1));
        for (std::string cell; std::getline(row, cell, '|');) {
            const auto first = cell.find_first_not_of(" `");
            const auto last = cell.find_last_not_of(" `");
            cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
        }
        const std::string name = cells.front();
        rows.emplace(name, std::vector<std::string>(cells.begin() + 2, cells.end()));
    }
    return rows;
}

bool may(Role role, std::string_view permission) {
    return permissionsOf(role).has(permission);
}

}  // namespace

class PermissionsTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(PermissionsTest);
    CPPUNIT_TEST(testRolesHaveNames);
    CPPUNIT_TEST(testDocumentationHasTheTable);
    CPPUNIT_TEST(testViewerReads);
    CPPUNIT_TEST(testUserWritesAsWell);
    CPPUNIT_TEST(testAdminMayEverything);
    CPPUNIT_TEST(testAuditorReadsEverythingAndWritesNothing);
    CPPUNIT_TEST(testRunnerLeasesAndReadsJobs);
    CPPUNIT_TEST(testWorkersHaveNone);
    CPPUNIT_TEST(testPluginsPermissionsAreByTheirVerb);
    CPPUNIT_TEST(testWhatIsNoPermissionIsNobodys);
    CPPUNIT_TEST(testPluginsNameTheirOwn);
    CPPUNIT_TEST_SUITE_END();

    static bool isReading(std::string_view permission) { return permission.ends_with(".read"); }

public:
    static void testRolesHaveNames() {
        for (const char* word : {"viewer", "user", "admin", "auditor", "runner"}) {
            const auto role = parseRole(word);
            CPPUNIT_ASSERT_MESSAGE(word, role.has_value());
            CPPUNIT_ASSERT_EQUAL(std::string(word), std::string(name(*role)));
        }
        for (const char* word : {"", "Admin", "viewer ", "root"}) {
            CPPUNIT_ASSERT_MESSAGE(word, !parseRole(word));
        }
        CPPUNIT_ASSERT_EQUAL(std::size_t{5}, roles().size());
        CPPUNIT_ASSERT_EQUAL(std::string("viewer, user, admin, auditor or runner"), roleNames());
    }

    static void testDocumentationHasTheTable() {
        const auto documented = documentedPermissions();
        std::set<std::string> names;
        for (const auto& [permission, cells] : documented) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(permission, roles().size(), cells.size());
            for (const Role role : roles()) {
                CPPUNIT_ASSERT_EQUAL_MESSAGE(permission + " " + name(role),
                                             std::string(may(role, permission) ? "yes" : ""),
                                             cells[static_cast<std::size_t>(role)]);
            }
            if (!permission.starts_with("NAME.")) {
                names.insert(permission);
            }
        }
        const auto known = permissionNames();
        CPPUNIT_ASSERT(names == std::set<std::string>(known.begin(), known.end()));
        CPPUNIT_ASSERT_EQUAL(known.size() + 3, documented.size());
    }

    static void testViewerReads() {
        const std::set<std::string_view> its{permission::jobsRead,    permission::eventsRead,
                                             permission::secretsRead, permission::usageRead,
                                             permission::statusRead,  permission::pluginsRead};
        for (const auto permission : permissionNames()) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(permission), its.contains(permission),
                                         may(Role::viewer, permission));
        }
    }

    static void testUserWritesAsWell() {
        const std::set<std::string_view> more{permission::jobsWrite, permission::promptsWrite,
                                              permission::secretsWrite};
        for (const auto permission : permissionNames()) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(permission),
                                         may(Role::viewer, permission) || more.contains(permission),
                                         may(Role::user, permission));
        }
    }

    static void testAdminMayEverything() {
        for (const auto permission : permissionNames()) {
            CPPUNIT_ASSERT_MESSAGE(std::string(permission), may(Role::admin, permission));
        }
    }

    static void testAuditorReadsEverythingAndWritesNothing() {
        for (const auto permission : permissionNames()) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(permission),
                                         isReading(permission) || permission == permission::usersAll,
                                         may(Role::auditor, permission));
        }
    }

    static void testRunnerLeasesAndReadsJobs() {
        const std::set<std::string_view> its{permission::jobsRead, permission::runsLease,
                                             permission::usersAll};
        for (const auto permission : permissionNames()) {
            CPPUNIT_ASSERT_EQUAL_MESSAGE(std::string(permission), its.contains(permission),
                                         may(Role::runner, permission));
        }
    }

    static void testWorkersHaveNone() {
        for (const auto permission : permissionNames()) {
            CPPUNIT_ASSERT_MESSAGE(std::string(permission), !noPermissions().has(permission));
        }
        CPPUNIT_ASSERT(!noPermissions().has("notes.read"));
    }

    static void testPluginsPermissionsAreByTheirVerb() {
        for (const Role role : roles()) {
            const bool reads = role != Role::runner;
            const bool writes = role == Role::user || role == Role::admin;
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name(role), reads, may(role, "notes.read"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name(role), writes, may(role, "notes.write"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name(role), writes, may(role, "notes.export_2"));
            CPPUNIT_ASSERT_EQUAL_MESSAGE(name(role), role == Role::admin, may(role, "notes.admin"));
        }
    }

    static void testWhatIsNoPermissionIsNobodys() {
        for (const char* text :
             {"", "notes", "notes.", ".read", "notes.Read", "notes.read ", "notes.a.read"}) {
            CPPUNIT_ASSERT_MESSAGE(text, !may(Role::admin, text));
        }
    }

    static void testPluginsNameTheirOwn() {
        CPPUNIT_ASSERT(isPermission("tokens.write", "notes"));
        CPPUNIT_ASSERT(isPermission("notes.export", "notes"));
        for (const char* text : {"", "notes", "notes.", "notes.Export", "notes.a.b", "note.read",
                                 "notes2.read", "tokens.wrte", "notes.read "}) {
            CPPUNIT_ASSERT_MESSAGE(text, !isPermission(text, "notes"));
        }
        CPPUNIT_ASSERT_EQUAL(std::string("notes.read"), permissionOf("notes", "read"));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(PermissionsTest);

}  // namespace sallyport::host::auth
