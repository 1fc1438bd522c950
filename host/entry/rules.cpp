#include "host/entry/rules.h"

#include <stdexcept>
#include <string>

namespace sallyport::host::entry {

namespace {

[[noreturn]] void refuse(const char* function, const std::string& how) {
    throw std::logic_error(std::string(function) + " was called " + how);
}

}  // namespace

void StartPhase::require(const char* function) const {
    if (over_) {
        refuse(function, "after the plugin's start: do that in Plugin::start, before it returns");
    }
}

void OneThread::require(const char* function) const {
    if (std::this_thread::get_id() != thread_) {
        refuse(function, std::string("on another thread than ") + whose_ + ": do that there");
    }
}

void requireLoop(bool isCurrent, const char* function) {
    if (!isCurrent) {
        refuse(function, offItsLoop());
    }
}

const char* offItsLoop() noexcept {
    return "on another thread than its loop's: do that in a task for IoLoop::post, or in a callback of the "
           "loop";
}

}  // namespace sallyport::host::entry
