#include "host/entry/rules.h"

#include <stdexcept>
#include <string>

namespace sallyport::host::entry {

void requireLoop(bool isCurrent, const char* function) {
    if (!isCurrent) {
        throw std::logic_error(std::string(function) + " was called " + offItsLoop());
    }
}

const char* offItsLoop() noexcept {
    return "on another thread than its loop's: do that in a task for IoLoop::post, or in a callback of the "
           "loop";
}

}  // namespace sallyport::host::entry
