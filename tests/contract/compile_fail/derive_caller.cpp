// Nor can something else pass for it.
#include <sallyport/caller.h>

struct Forged : sallyport::Caller {
    Forged()
        : sallyport::Caller(sallyport::Realm::operators, "admin", sallyport::JobId(),
                            sallyport::Role::admin) {}
};
