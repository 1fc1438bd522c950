// What a plugin is: one shared object that exports one symbol.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/host.h>

namespace sallyport {

class Examination;

/// The number of this plugin interface. It changes whenever a header here changes in a way that an
/// object built before could notice; the host refuses any other number.
inline constexpr std::uint32_t abiNumber = 2;

/// A plugin. The host makes one object, starts it, calls its handlers from many threads at once, stops
/// it and destroys it.
class Plugin {
public:
    virtual ~Plugin() = default;

    /// Opens tables, registers routes, subscribes. Nothing is called before it has returned. What it
    /// throws is logged, and the plugin is not loaded. [a host thread, once]
    virtual void start(Host& host) = 0;

    /// Called once no handler of this plugin is running and none will be called again. [a host thread,
    /// once, after start]
    virtual void stop() {}

    /// Nothing while all is well, else a sentence for the operator. Shown by `GET /api/plugins`. Must not
    /// block. [any thread, after start]
    [[nodiscard]] virtual std::optional<std::string> trouble() const { return std::nullopt; }

    /// Looks the plugin's settings, tables and surroundings over, for `sallyport doctor` and
    /// `sallyportd --check-config`, and adds what it finds: see sallyport/ext/examination.h. It is called on
    /// an object that is never started, in a process of its own, and changes nothing. What it throws is a
    /// finding, too. [a host thread, once, no start before or after it]
    virtual void examine(Examination& /*examination*/) {}
};

/// What the exported symbol `sallyport_plugin` is. Plain data, so that it can be read before any code of
/// the plugin runs; `abi` comes first in every version. Within an ABI it may grow at its end, and so may
/// Setting: the sizes tell the host how far the plugin's header went.
struct PluginDescriptor {
    std::uint32_t abi;         ///< abiNumber at the time of building
    const char* toolchain;     ///< SALLYPORT_TOOLCHAIN at the time of building; the host refuses another
    const char* name;          ///< `[a-z][a-z0-9_]*`: the prefix of its settings, unique among the loaded
    const char* version;       ///< for people
    const char* summary;       ///< one line, for people
    Plugin* (*create)();       ///< makes the plugin's object; called for every start
    void (*destroy)(Plugin*);  ///< frees what `create` made
    const Setting* settings;   ///< what it reads from the configuration
    std::size_t settingCount;  ///< how many those are
    std::size_t settingSize = sizeof(Setting);    ///< bytes of each
    std::size_t size = sizeof(PluginDescriptor);  ///< bytes of this
};

/// What a plugin declares, as this header has it; what its own did not have is as by default. The texts are
/// the plugin's. [any thread]
[[nodiscard]] inline std::vector<Setting> settingsOf(const PluginDescriptor& plugin) {
    std::vector<Setting> settings(plugin.settingCount);
    const auto* const first = reinterpret_cast<const std::byte*>(plugin.settings);
    for (std::size_t i = 0; i < settings.size(); ++i) {
        std::memcpy(&settings[i], first + i * plugin.settingSize,
                    std::min(plugin.settingSize, sizeof(Setting)));
    }
    return settings;
}

/// The C++ library ABI that crosses the boundary besides these headers.
#define SALLYPORT_STRING_(x) #x
#define SALLYPORT_STRING(x) SALLYPORT_STRING_(x)
#define SALLYPORT_TOOLCHAIN \
    "c++" SALLYPORT_STRING(__cplusplus) " libstdc++cxx11=" SALLYPORT_STRING(_GLIBCXX_USE_CXX11_ABI)

/// Exports CLASS as this object's plugin, reading no settings. At namespace scope, without a semicolon.
#define SALLYPORT_PLUGIN(CLASS, NAME, VERSION, SUMMARY) \
    SALLYPORT_PLUGIN_EXPORT_(CLASS, NAME, VERSION, SUMMARY, nullptr, 0)

/// The same, with SETTINGS, an array of Setting.
#define SALLYPORT_PLUGIN_WITH_SETTINGS(CLASS, NAME, VERSION, SUMMARY, SETTINGS) \
    SALLYPORT_PLUGIN_EXPORT_(CLASS, NAME, VERSION, SUMMARY, SETTINGS, std::size(SETTINGS))

#define SALLYPORT_PLUGIN_EXPORT_(CLASS, NAME, VERSION, SUMMARY, SETTINGS, COUNT)                            \
    extern "C" __attribute__((visibility("default"))) const ::sallyport::PluginDescriptor sallyport_plugin{ \
        ::sallyport::abiNumber,                                                                             \
        SALLYPORT_TOOLCHAIN,                                                                                \
        NAME,                                                                                               \
        VERSION,                                                                                            \
        SUMMARY,                                                                                            \
        []() -> ::sallyport::Plugin* { return new (CLASS); },                                               \
        [](::sallyport::Plugin* plugin) { delete plugin; },                                                 \
        SETTINGS,                                                                                           \
        COUNT,                                                                                              \
        sizeof(::sallyport::Setting),                                                                       \
        sizeof(::sallyport::PluginDescriptor)};

}  // namespace sallyport
