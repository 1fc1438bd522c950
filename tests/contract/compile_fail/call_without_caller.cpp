// A call cannot be made without one.
#include <sallyport/call.h>

void trespass() {
    const sallyport::Call forged(sallyport::Call::Parts{});
}
