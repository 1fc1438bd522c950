// Writes that wait for the writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <unordered_map>
#include <vector>

#include <sallyport/job_id.h>
#include <sallyport/store.h>

#include "host/store/on_behalf_of.h"

namespace sallyport::host::store {

/// One write on its way.
struct Write {
    Store::Work work;
    Store::Done done;
    std::exception_ptr error{};
};

/// Waiting writes, a line for each job and one for the host. A line keeps its order. Between lines the bytes
/// are shared evenly (start-time fair queuing), so that a write of a job that has no others waits for one
/// group at the most, however many others have. [one thread at a time]
class WriteQueue {
public:
    struct Limits {
        std::size_t places;      ///< writes waiting at the most
        std::size_t group;       ///< writes in one group at the most
        std::size_t groupBytes;  ///< and their bytes; a larger one is a group by itself
    };

    explicit WriteQueue(Limits limits) : limits_(limits) {}

    /// A job may have as many writes waiting as places are left after that, so that there is always room for
    /// another. The host may have all places, whoever has writes waiting.
    /// @return false, and the write as it was, when there is no place for it.
    [[nodiscard]] bool push(const Origin& origin, Write& write);

    /// Takes the writes whose turn it is, to be committed together.
    /// @param group has room for as many as there may be in one: this takes no memory.
    void takeGroup(std::vector<Write>& group) noexcept;

    [[nodiscard]] bool empty() const noexcept { return waiting_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return waiting_; }

private:
    struct Waiting {
        Write write;
        std::size_t cost;
    };
    struct Line {
        std::deque<Waiting> writes;
        std::uint64_t turn = 0;  ///< grows with what the line has been given
    };

    void forgetIdle() noexcept;

    const Limits limits_;
    std::size_t waiting_ = 0;
    std::uint64_t now_ = 0;  ///< the turn of the write that was last taken
    std::unordered_map<JobId, Line> lines_;
    std::multimap<std::uint64_t, JobId> turns_;  ///< of the lines with writes that wait
};

}  // namespace sallyport::host::store
