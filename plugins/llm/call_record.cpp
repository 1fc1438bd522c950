#include "call_record.h"

namespace sallyport::plugins::llm {

const char* name(CallOutcome outcome) {
    switch (outcome) {
        case CallOutcome::ok:
            return "ok";
        case CallOutcome::failed:
            return "failed";
        case CallOutcome::cancelled:
            break;
    }
    return "cancelled";
}

}  // namespace sallyport::plugins::llm
