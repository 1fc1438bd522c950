// Nobody but the host's filter can make an identity.
#include <sallyport/caller.h>

void trespass(const sallyport::PermissionSet& all) {
    const sallyport::Caller forged(sallyport::Realm::operators, "admin", sallyport::JobId(), all);
}
