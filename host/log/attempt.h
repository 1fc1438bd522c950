// Lines where the want of memory must not get in the way.
#pragma once

namespace sallyport::host::log {

/// Runs `write`, which writes a line. Without memory for the line there is none, and whatever it was about
/// goes on. [any thread]
template <class F>
void attempt(F write) noexcept {
    try {
        write();
    } catch (...) {
        return;
    }
}

}  // namespace sallyport::host::log
