// What the tests of the store share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/error_text.h>
#include <sallyport/errors.h>
#include <sallyport/store.h>
#include <sallyport/testing/recording_log.h>

#include "host/store/outcome.h"

namespace sallyport::host::store {

/// A directory that goes away with its test.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string file(const std::string& name = "sallyport.db") const {
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

/// Runs `body` in a process of its own. @return what it returned, or the words of what it threw.
[[nodiscard]] std::string inChild(const std::function<std::string()>& body);

/// Gives up the rights of root, for what root may do and the daemon may not.
void becomeNobody();

/// Lets no file grow beyond that size, as a full disk would. For a process of its own.
void limitFileSize(std::size_t bytes);

/// The words of what `act` throws; empty if it throws nothing.
template <class Act>
[[nodiscard]] std::string refusal(Act&& act) {
    try {
        std::forward<Act>(act)();
        return {};
    } catch (...) {
        return errorText(std::current_exception());
    }
}

[[nodiscard]] inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// Keeps the store's thread busy, so that writes queue up behind it and form one group.
class Blockade {
public:
    /// Returns once the store's thread is held.
    explicit Blockade(Store& store);
    ~Blockade() { lift(); }
    Blockade(const Blockade&) = delete;
    Blockade& operator=(const Blockade&) = delete;

    void lift();

private:
    std::promise<void> lifted_;
    bool isLifted_ = false;
};

/// The names in a directory, sorted, with a space between them.
[[nodiscard]] std::string namesIn(const std::string& directory);

/// A table to write into: `t (id, v)`.
void createTable(Store& store);
[[nodiscard]] Store::Work insertion(SqlValue value);
[[nodiscard]] std::int64_t countRows(Store& store);

/// Queues a write. @return its outcome.
[[nodiscard]] std::shared_ptr<Outcome> submitted(Store& store, Store::Work work);

}  // namespace sallyport::host::store
