// Nothing but the headers.
#include "headers.h"
