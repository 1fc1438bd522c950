// Nor can it become another.
#include <sallyport/caller.h>

void trespass(sallyport::Caller& one, const sallyport::Caller& other) {
    one = other;
}
