// A descriptor that does not fit, in the way that ABI, TOOLCHAIN and NAME say. Its code must never run.
#include <cstdlib>

#include <sallyport/plugin.h>

#ifndef ABI
#define ABI sallyport::abiNumber
#endif
#ifndef TOOLCHAIN
#define TOOLCHAIN SALLYPORT_TOOLCHAIN
#endif
#ifndef NAME
#define NAME "other_descriptor"
#endif

extern "C" __attribute__((visibility("default")))
const sallyport::PluginDescriptor sallyport_plugin{ABI,
                                                   TOOLCHAIN,
                                                   NAME,
                                                   "1",
                                                   "Does not fit",
                                                   []() -> sallyport::Plugin* { std::abort(); },
                                                   [](sallyport::Plugin*) { std::abort(); },
                                                   nullptr,
                                                   0};
