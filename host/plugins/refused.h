// Why a plugin is not loaded.
#pragma once

#include <stdexcept>

namespace sallyport::host::plugins {

/// A plugin that is not loaded, and why: one sentence for the operator.
class Refused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// One that cannot be loaded for want of what may come by itself: room on the disk, a database that is not
/// locked. It is tried again.
class Postponed : public Refused {
public:
    using Refused::Refused;
};

}  // namespace sallyport::host::plugins
