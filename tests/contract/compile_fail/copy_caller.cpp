// An identity cannot be kept beyond its request.
#include <sallyport/caller.h>

void trespass(const sallyport::Caller& caller) {
    const sallyport::Caller kept = caller;
}
