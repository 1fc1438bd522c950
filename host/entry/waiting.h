// Where nothing may wait for the disk. When and on which threads something may be called: rules.h.
#pragma once

namespace sallyport::host::entry {

/// Whether this thread may wait for the disk, as long as one of these lives; the innermost counts. Others
/// would wait with it where it must not. [one thread; nested as scopes are]
class Waiting {
public:
    enum class Rule {
        allowed,
        forbidden,  ///< all connections of the thread would wait
        store,      ///< `done` of Store::submit and what else is called then: all writes would wait
        message,    ///< a receiver of Bus::subscribe: whoever publishes would wait
        trouble,    ///< Plugin::trouble: whoever asks how all plugins are would wait
    };

    explicit Waiting(Rule rule) noexcept;
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

private:
    const Rule before_;
};

#ifdef NDEBUG
/// For the daemon. It looks where plugins are made: one that waits now and then shall not fail for that where
/// it runs.
class WaitingWhereDebugged {
public:
    explicit WaitingWhereDebugged(Waiting::Rule /*rule*/) noexcept {}
};
#else
using WaitingWhereDebugged = Waiting;
#endif

/// To be called by what may wait. @param function as its caller knows it, such as `Store::query`.
/// @throws std::logic_error a sentence that says what to do, where waiting is forbidden.
void requireMayWait(const char* function);

}  // namespace sallyport::host::entry
