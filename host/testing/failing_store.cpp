#include <sallyport/errors.h>
#include <sallyport/testing/failing_store.h>

namespace sallyport::testing {

void FailingStore::holdWrites() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
}

void FailingStore::awaitHeld() {
    std::unique_lock lock(mutex_);
    held_.wait(lock, [this] { return !waiting_.empty(); });
}

void FailingStore::letGo() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    for (auto& [work, done] : waiting_) {
        store_.submit(failedIfWanted(std::move(work)), std::move(done));
    }
    waiting_.clear();
}

void FailingStore::migrate(std::string_view component, const std::vector<Migration>& steps) {
    store_.migrate(component, steps);
}

void FailingStore::submit(Work work, Done done) {
    if (refusing_) {
        throw StoreError("the queue of writes is full");
    }
    const std::lock_guard lock(mutex_);
    if (holding_) {
        waiting_.emplace_back(std::move(work), std::move(done));
        held_.notify_all();
        return;
    }
    store_.submit(failedIfWanted(std::move(work)), std::move(done));
}

void FailingStore::write(Work work) {
    store_.write(failedIfWanted(std::move(work)));
}

Rows FailingStore::query(std::string_view sql, const std::vector<SqlValue>& values) {
    return store_.query(sql, values);
}

Store::Work FailingStore::failedIfWanted(Work work) const {
    if (!failing_) {
        return work;
    }
    return [](Transaction&) { throw StoreError("the disk is full"); };
}

}  // namespace sallyport::testing
