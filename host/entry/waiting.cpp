#include "host/entry/waiting.h"

#include <stdexcept>
#include <string>

namespace sallyport::host::entry {

namespace {

thread_local Waiting::Rule rule = Waiting::Rule::allowed;

}  // namespace

Waiting::Waiting(Rule given) noexcept : before_(rule) {
    rule = given;
}

Waiting::~Waiting() {
    rule = before_;
}

void requireMayWait(const char* function) {
    if (rule == Waiting::Rule::forbidden) {
        throw std::logic_error(
            std::string(function) +
            " may wait for the disk, and was called on a thread that serves connections: use a "
            "route of Run::pool, Host::run or Store::submit");
    }
}

}  // namespace sallyport::host::entry
