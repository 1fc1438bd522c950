#include "host/store/write_queue.h"

#include <algorithm>
#include <new>
#include <utility>

namespace sallyport::host::store {

namespace {

/// What a write costs besides its bytes: statements, pages that it touches, its callback.
constexpr std::size_t costOfAny = 1024;

}  // namespace

bool WriteQueue::push(const Origin& origin, Write& write) {
    const auto found = lines_.find(origin.job);
    const std::size_t own = found == lines_.end() ? 0 : found->second.writes.size();
    const std::size_t left = limits_.places - std::min(limits_.places, waiting_);
    if (own >= (origin.job == JobId() ? limits_.places : left)) {
        return false;
    }
    Line& line = found == lines_.end() ? lines_[origin.job] : found->second;
    line.writes.push_back({std::move(write), costOfAny + origin.bytes});
    if (line.writes.size() == 1) {
        // Having been idle earns nothing.
        line.turn = std::max(line.turn, now_);
        try {
            turns_.emplace(line.turn, origin.job);
        } catch (const std::bad_alloc&) {
            line.writes.clear();
            throw;
        }
    }
    ++waiting_;
    return true;
}

void WriteQueue::takeGroup(std::vector<Write>& group) noexcept {
    std::size_t bytes = 0;
    while (!turns_.empty() && group.size() < limits_.group) {
        const auto first = turns_.begin();
        Line& line = lines_.find(first->second)->second;
        Waiting& next = line.writes.front();
        if (!group.empty() && bytes + next.cost > limits_.groupBytes) {
            break;
        }
        bytes += next.cost;
        now_ = first->first;
        line.turn += next.cost;
        group.push_back(std::move(next.write));
        line.writes.pop_front();
        --waiting_;
        auto place = turns_.extract(first);
        if (!line.writes.empty()) {
            place.key() = line.turn;
            turns_.insert(std::move(place));
        }
    }
    forgetIdle();
}

/// Lines whose turn has come without their having anything to write. Not at each look, which takes as long as
/// there are lines.
void WriteQueue::forgetIdle() noexcept {
    if (turns_.empty()) {
        lines_.clear();
    } else if (lines_.size() > 2 * turns_.size() + 64) {
        std::erase_if(lines_, [this](const auto& line) {
            return line.second.writes.empty() && line.second.turn <= now_;
        });
    }
}

}  // namespace sallyport::host::store
