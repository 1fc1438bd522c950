// Nobody but the host's filter can make an identity.
#include <sallyport/caller.h>

void trespass() {
    const sallyport::Caller forged(sallyport::Realm::operators, "admin", sallyport::JobId(),
                                   sallyport::Role::admin);
}
