// What the others do wrong done right: this compiles, so that they fail for the reason they should.
#include <string>

#include <sallyport/call.h>

std::string use(const sallyport::Call& call) {
    const sallyport::Caller& caller = call.caller();
    return caller.user() + caller.job().str();
}
