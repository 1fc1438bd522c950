// Nor can it be taken away.
#include <utility>

#include <sallyport/caller.h>

void trespass(sallyport::Caller& caller) {
    const sallyport::Caller taken = std::move(caller);
}
