// Nor can something else pass for it.
#include <sallyport/caller.h>

struct Forged : sallyport::Caller {
    explicit Forged(const sallyport::PermissionSet& all)
        : sallyport::Caller(sallyport::Realm::operators, "admin", sallyport::JobId(), all) {}
};
