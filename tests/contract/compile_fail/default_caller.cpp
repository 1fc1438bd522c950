// There is no identity of nobody, either.
#include <sallyport/caller.h>

void trespass() {
    const sallyport::Caller nobody;
}
