// Why a plugin is not loaded.
#pragma once

#include <stdexcept>

namespace sallyport::host::plugins {

/// A plugin that is not loaded, and why: one sentence for the operator.
class Refused : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace sallyport::host::plugins
