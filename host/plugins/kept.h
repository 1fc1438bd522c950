// Closures of a plugin that the host holds on to.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "host/entry/entry.h"
#include "host/http/gate.h"

namespace sallyport::host::plugins {

/// A callable from a plugin together with what it needs: the library that its code is in, and the request for
/// which it was left here. Calling it and destroying it enter the plugin. Copies share the callable, so that
/// copying runs none of the plugin's code. [any thread]
template <class F>
class Callback {
public:
    /// @param callback what it is, for the log.
    Callback(std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate, const char* callback, F function)
        : held_(std::make_shared<Held>(std::move(code), std::move(gate), callback, std::move(function))) {}

    /// Lets out what comes out, for whoever is to know of it.
    template <class... Arguments>
    auto operator()(Arguments&&... arguments) const {
        const auto held = held_;
        const entry::Entry entry(held->gate->owner(), held->callback, held->origin);
        return (*held->function)(std::forward<Arguments>(arguments)...);
    }

    /// Logs what comes out.
    template <class... Arguments>
    void callGuarded(Arguments&&... arguments) const noexcept {
        const auto held = held_;
        entry::guarded(held->gate->owner(), held->callback, held->origin,
                       [&] { (*held->function)(std::forward<Arguments>(arguments)...); });
    }

    [[nodiscard]] const std::shared_ptr<http::Gate>& gate() const noexcept { return held_->gate; }

private:
    struct Held {
        Held(std::shared_ptr<void> library, std::shared_ptr<http::Gate> itsGate, const char* name, F f)
            : code(std::move(library)),
              gate(std::move(itsGate)),
              callback(name),
              origin(entry::Entry::currentOrigin()),
              function(std::move(f)) {}
        ~Held() { entry::destroy(gate->owner(), "destructor", function); }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;

        std::shared_ptr<void> code;
        std::shared_ptr<http::Gate> gate;
        const char* callback;
        entry::Origin origin;
        std::optional<F> function;
    };

    std::shared_ptr<Held> held_;
};

/// An object of the plugin's for the host to hold, whose destruction enters the plugin. It keeps the plugin's
/// code loaded.
/// @param destructor what that is, for the log.
template <class T>
[[nodiscard]] std::shared_ptr<T> heldObject(std::shared_ptr<void> code, std::shared_ptr<http::Gate> gate,
                                            const char* destructor, std::shared_ptr<T> object) {
    struct Held {
        Held(std::shared_ptr<void> library, std::shared_ptr<http::Gate> itsGate, const char* name,
             std::shared_ptr<T> its)
            : code(std::move(library)), gate(std::move(itsGate)), destructor(name), object(std::move(its)) {}
        ~Held() { entry::destroy(gate->owner(), destructor, object); }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;

        std::shared_ptr<void> code;
        std::shared_ptr<http::Gate> gate;
        const char* destructor;
        std::shared_ptr<T> object;
    };
    auto* const pointer = object.get();
    return {std::make_shared<Held>(std::move(code), std::move(gate), destructor, std::move(object)), pointer};
}

/// A callback that is to be called once. As long as it exists it counts as a call in progress, so that the
/// plugin is not stopped before.
template <class F>
class Kept {
public:
    Kept(std::shared_ptr<void> code, const std::shared_ptr<http::Gate>& gate, const char* callback,
         F function)
        : ticket_(std::make_shared<http::Gate::Ticket>(gate->enterFromInside())),
          callback_(std::move(code), gate, callback, std::move(function)) {}

    template <class... Arguments>
    auto operator()(Arguments&&... arguments) const {
        return callback_(std::forward<Arguments>(arguments)...);
    }

    template <class... Arguments>
    void callGuarded(Arguments&&... arguments) const noexcept {
        callback_.callGuarded(std::forward<Arguments>(arguments)...);
    }

private:
    std::shared_ptr<http::Gate::Ticket> ticket_;
    Callback<F> callback_;
};

/// A callable that calls `kept` and logs what comes out.
template <class K>
[[nodiscard]] auto guarded(K kept) {
    return [kept = std::move(kept)](auto&&... arguments) {
        kept.callGuarded(std::forward<decltype(arguments)>(arguments)...);
    };
}

}  // namespace sallyport::host::plugins
