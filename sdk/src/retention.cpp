#include <algorithm>
#include <memory>
#include <thread>

#include <sallyport/errors.h>
#include <sallyport/retention.h>

namespace sallyport {

namespace {

using namespace std::chrono_literals;

constexpr auto beat = 1s;

/// How much longer a pause is than the write before it.
constexpr int pausesToWrites = 3;

/// Between two tries while the store takes nothing.
constexpr auto rest = 1min;

/// Deleted jobs that are remembered; rows of further ones are searched for.
constexpr std::size_t mostTold = 10'000;

}  // namespace

Sweep::Sweep(Store& store, const SweepPace& pace)
    : store_(store), pace_(pace), end_(Clock::now() + pace.turn) {}

Sweep::Keys Sweep::keysIn(const Rows& rows) {
    Keys keys;
    keys.reserve(rows.size());
    for (const Row& row : rows) {
        keys.push_back(row.integer(0));
    }
    return keys;
}

bool Sweep::goesOn() {
    if (Clock::now() + pause_ >= end_) {
        return false;
    }
    std::this_thread::sleep_for(pause_);
    pause_ = {};
    return true;
}

std::size_t Sweep::remove(const Keys& keys, const Remove& remove) {
    if (keys.empty()) {
        return 0;
    }
    struct Done {
        std::size_t rows = 0;
        Clock::duration time{};
    };
    Done done;
    store_.write([&](Transaction& transaction) {
        done = {};
        const auto begin = Clock::now();
        do {
            remove(transaction, keys[done.rows++]);
            done.time = Clock::now() - begin;
        } while (done.rows < std::min(keys.size(), pace_.rows) && done.time < pace_.write);
    });
    pause_ = std::max<Clock::duration>(pace_.pause, done.time * pausesToWrites);
    removed_ += done.rows;
    return done.rows;
}

bool Sweep::run(const Find& find, const Remove& remove) {
    while (goesOn()) {
        const Keys keys = find(pace_.rows);
        if (keys.empty()) {
            return true;
        }
        this->remove(keys, remove);
    }
    return false;
}

std::optional<Timestamp> Aging::due() {
    if (keep_ == 0ms) {
        return std::nullopt;
    }
    if (!before_ && std::chrono::steady_clock::now() >= next_) {
        before_ = now() - keep_;
    }
    return before_;
}

void Aging::done() {
    before_.reset();
    next_ = std::chrono::steady_clock::now() + std::clamp<std::chrono::milliseconds>(keep_ / 10, beat, 10min);
}

Retention::Retention(Host& host, KeptRows& rows, const Options& options)
    : host_(host),
      rows_(rows),
      line_(options.line),
      aging_(options.keep),
      restsUntil_(Clock::now() + options.settle) {
    host.bus().subscribe<JobDeleted>([this](const JobDeleted& message) { told(message.job); });
    host.every(beat, [this] { turn(); });
}

void Retention::told(const JobId& job) {
    const std::lock_guard lock(mutex_);
    if (told_.size() < mostTold) {
        told_.push_back(job);
    } else {
        missed_ = true;
    }
}

void Retention::turn() {
    if (Clock::now() < restsUntil_) {
        return;
    }
    Sweep sweep(host_.store());
    bool done = false;
    try {
        done = removeTold(sweep) && removeLeftovers(sweep) && removeOld(sweep) && rows_.removeSurplus(sweep);
    } catch (const StoreError& error) {
        restsUntil_ = Clock::now() + rest;
        host_.log().warn("old rows cannot be deleted; this is tried again in a minute",
                         {{"reason", error.detail()}});
    }
    removed_ += sweep.removed();
    if (done) {
        report();
    }
}

std::optional<JobId> Retention::firstTold() {
    const std::lock_guard lock(mutex_);
    return told_.empty() ? std::nullopt : std::optional(told_.front());
}

void Retention::forgetFirstTold() {
    const std::lock_guard lock(mutex_);
    told_.pop_front();
}

bool Retention::removeTold(Sweep& sweep) {
    while (const auto job = firstTold()) {
        if (!rows_.removeJob(*job, sweep)) {
            return false;
        }
        forgetFirstTold();
        ++jobs_;
    }
    return true;
}

bool Retention::removeLeftovers(Sweep& sweep) {
    if (!searching_) {
        // Taken before the first look: what is missed from now on begins another search.
        if (!missed_.exchange(false)) {
            return true;
        }
        searching_ = true;
        searchedUpTo_.reset();
    }
    while (sweep.goesOn()) {
        const auto job = rows_.jobAfter(searchedUpTo_);
        if (!job) {
            searching_ = false;
            return !missed_;
        }
        if (!host_.jobs().owner(*job)) {
            if (!rows_.removeJob(*job, sweep)) {
                return false;
            }
            ++jobs_;
        }
        searchedUpTo_ = job;
    }
    return false;
}

bool Retention::removeOld(Sweep& sweep) {
    const auto before = aging_.due();
    if (!before) {
        return true;
    }
    if (!rows_.removeBefore(*before, sweep)) {
        return false;
    }
    aging_.done();
    return true;
}

void Retention::report() {
    if (removed_ > 0) {
        host_.log().info(line_, {{"rows", removed_}, {"deleted_jobs", jobs_}});
    }
    removed_ = 0;
    jobs_ = 0;
}

}  // namespace sallyport
