// Calling what belongs to a loop's thread from a test's.
#pragma once

#include <future>
#include <type_traits>
#include <utility>

#include <sallyport/ext/io.h>

namespace sallyport::testing {

/// Runs `function` on the loop's thread and returns what it returns, or throws what it throws. [any thread]
template <class F>
auto onLoop(IoLoop& loop, F function) -> std::invoke_result_t<F> {
    if (loop.isCurrent()) {
        return function();
    }
    // Shared, because the thread may still be inside it when this goes on.
    const auto task = std::make_shared<std::packaged_task<std::invoke_result_t<F>()>>(std::move(function));
    auto result = task->get_future();
    loop.post([task] { (*task)(); });
    return result.get();
}

}  // namespace sallyport::testing
