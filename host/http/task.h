// A callable that need not be copyable.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace sallyport::host::http {

/// Runs once, owns what it captured (std::function would demand that it can be copied).
class Task {
public:
    Task() = default;

    /// Any callable is a task.
    template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Task>)
        // NOLINTNEXTLINE(google-explicit-constructor,bugprone-forwarding-reference-overload)
        Task(F&& function)
        : callable_(std::make_unique<Callable<std::decay_t<F>>>(std::forward<F>(function))) {}

    void operator()() { callable_->run(); }

private:
    struct Base {
        virtual ~Base() = default;
        virtual void run() = 0;
    };
    template <class F>
    struct Callable final : Base {
        explicit Callable(F f) : function(std::move(f)) {}
        void run() override { function(); }
        F function;
    };

    std::unique_ptr<Base> callable_;
};

}  // namespace sallyport::host::http
