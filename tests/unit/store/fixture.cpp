#include "tests/unit/store/fixture.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <stdexcept>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sallyport::host::store {

namespace {

/// The user of that name on Debian. Any that is not root would do.
constexpr uid_t nobody = 65534;

[[noreturn]] void runChild(const std::function<std::string()>& body, int out) {
    std::string answer;
    try {
        answer = body();
    } catch (...) {
        answer = errorText(std::current_exception());
    }
    const bool told = write(out, answer.data(), answer.size()) == static_cast<ssize_t>(answer.size());
    _exit(told ? 0 : 1);
}

std::string readAll(int file) {
    std::string text;
    std::array<char, 4096> part{};
    for (ssize_t length = 0; (length = read(file, part.data(), part.size())) > 0;) {
        text.append(part.data(), static_cast<std::size_t>(length));
    }
    return text;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory()
    : path_((std::filesystem::temp_directory_path() / "sallyport-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) {
        throw std::runtime_error("mkdtemp failed");
    }
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string inChild(const std::function<std::string()>& body) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) {
        throw std::runtime_error("pipe failed");
    }
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        runChild(body, ends[1]);
    }
    close(ends[1]);
    std::string answer = readAll(ends[0]);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? answer : "the child process failed: " + answer;
}

void becomeNobody() {
    if (geteuid() == 0 &&
        (setresgid(nobody, nobody, nobody) != 0 || setresuid(nobody, nobody, nobody) != 0)) {
        throw std::runtime_error("cannot give up the rights of root");
    }
}

void limitFileSize(std::size_t bytes) {
    // Without this a write beyond the limit would end the process instead of failing.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = std::min<rlim_t>(bytes, limit.rlim_max);
    setrlimit(RLIMIT_FSIZE, &limit);
}

Blockade::Blockade(Store& store) {
    const auto held = std::make_shared<std::promise<void>>();
    store.submit(
        [held, lifted = lifted_.get_future().share()](Transaction&) {
            held->set_value();
            lifted.wait();
        },
        [](const std::exception_ptr&) {});
    held->get_future().wait();
}

void Blockade::lift() {
    if (!std::exchange(isLifted_, true)) {
        lifted_.set_value();
    }
}

std::string namesIn(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        names.insert(entry.path().filename());
    }
    std::string all;
    for (const std::string& name : names) {
        all += (all.empty() ? "" : " ") + name;
    }
    return all;
}

void createTable(Store& store) {
    store.migrate("t", {{1, {"CREATE TABLE t (id {key}, v)"}}});
}

Store::Work insertion(SqlValue value) {
    return [value = std::move(value)](Transaction& transaction) {
        transaction.insert("INSERT INTO t (v) VALUES (?)", {value});
    };
}

std::int64_t countRows(Store& store) {
    return store.query("SELECT count(*) FROM t").at(0).integer(0);
}

std::shared_ptr<Outcome> submitted(Store& store, Store::Work work) {
    auto outcome = std::make_shared<Outcome>();
    store.submit(std::move(work), [outcome](std::exception_ptr error) { outcome->set(std::move(error)); });
    return outcome;
}

}  // namespace sallyport::host::store
