#include "host/entry/waiting.h"

#include <stdexcept>
#include <string>

namespace sallyport::host::entry {

namespace {

thread_local Waiting::Rule rule = Waiting::Rule::allowed;

const char* placeOf(Waiting::Rule forbidden) {
    switch (forbidden) {
        case Waiting::Rule::store:
            return "on the store's thread, for which all writes wait";
        case Waiting::Rule::message:
            return "in a receiver of messages, for which whoever publishes waits";
        case Waiting::Rule::trouble:
            return "in Plugin::trouble, for which whoever asks about all plugins waits";
        case Waiting::Rule::allowed:
        case Waiting::Rule::forbidden:
            break;
    }
    return "on a thread that serves connections";
}

}  // namespace

Waiting::Waiting(Rule given) noexcept : before_(rule) {
    rule = given;
}

Waiting::~Waiting() {
    rule = before_;
}

void requireMayWait(const char* function) {
    if (rule != Waiting::Rule::allowed) {
        throw std::logic_error(std::string(function) + " may wait for the disk, and was called " +
                               placeOf(rule) + ": use a route of Run::pool, Host::run or Store::submit");
    }
}

}  // namespace sallyport::host::entry
