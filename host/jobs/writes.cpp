#include "host/jobs/writes.h"

#include <exception>
#include <memory>
#include <utility>

#include "host/store/outcome.h"

namespace sallyport::host::jobs {

/// The end of one write, at the end of a block.
class Writes::End {
public:
    explicit End(Writes& writes) : writes_(writes) {}
    ~End() { writes_.ended(); }
    End(const End&) = delete;
    End& operator=(const End&) = delete;

private:
    Writes& writes_;
};

Writes::~Writes() {
    std::unique_lock lock(mutex_);
    none_.wait(lock, [this] { return pending_ == 0; });
}

void Writes::submit(Store::Work work, Store::Done done) {
    {
        const std::lock_guard lock(mutex_);
        ++pending_;
    }
    try {
        store_.submit(std::move(work), [this, done = std::move(done)](std::exception_ptr error) {
            const End end(*this);
            done(std::move(error));
        });
    } catch (...) {
        ended();
        throw;
    }
}

void Writes::writeThen(Store::Work work, std::function<void()> then) {
    const auto outcome = std::make_shared<store::Outcome>();
    submit(std::move(work), [outcome, then = std::move(then)](std::exception_ptr error) {
        if (!error) {
            try {
                then();
            } catch (...) {
                error = std::current_exception();
            }
        }
        outcome->set(std::move(error));
    });
    outcome->await();
}

void Writes::ended() {
    const std::lock_guard lock(mutex_);
    if (--pending_ == 0) {
        none_.notify_all();
    }
}

}  // namespace sallyport::host::jobs
