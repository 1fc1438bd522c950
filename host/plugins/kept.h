// Closures of a plugin that the host holds on to.
#pragma once

#include <memory>
#include <utility>

#include "host/http/gate.h"

namespace sallyport::host::plugins {

/// A callable from a plugin together with what it needs: the library that its code is in, and a count that
/// keeps the plugin from being stopped before it has run. The members are destroyed from the last to the
/// first, so the code is still there while the callable is destroyed.
template <class F>
class Kept {
public:
    Kept(std::shared_ptr<void> code, const std::shared_ptr<http::Gate>& gate, F function)
        : code_(std::move(code)),
          ticket_(std::make_shared<http::Gate::Ticket>(gate->enterFromInside())),
          function_(std::move(function)) {}

    template <class... Arguments>
    auto operator()(Arguments&&... arguments) const {
        return function_(std::forward<Arguments>(arguments)...);
    }

private:
    std::shared_ptr<void> code_;
    std::shared_ptr<http::Gate::Ticket> ticket_;
    F function_;
};

}  // namespace sallyport::host::plugins
