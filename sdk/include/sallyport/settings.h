// A plugin's part of the configuration file.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// How a setting's value is written.
enum class SettingKind {
    text,
    boolean,   ///< `true` or `false`
    integer,   ///< decimal
    duration,  ///< a number and `ms`, `s`, `m`, `h` or `d`
    size,      ///< bytes: a number and nothing, `KiB`, `MiB` or `GiB`
    list,      ///< comma-separated words
};

/// One key that is read, declared so that the host can check the file, show defaults and document it. It
/// grows at its end; see PluginDescriptor::settingSize.
struct Setting {
    const char* key = nullptr;             ///< below the plugin's name; a segment `*` stands for any one name
    SettingKind kind = SettingKind::text;  ///< how its value is written
    const char* defaultValue = nullptr;    ///< as it would be written
    const char* help = nullptr;            ///< one line
    std::int64_t low = 0;                  ///< least number, milliseconds or bytes
    std::int64_t high = INT64_MAX;         ///< greatest number, milliseconds or bytes
};

/// The values of the keys that a plugin declared, each checked by the host before `start`: the default,
/// the file or `-D`, in rising order. Keys are given without the plugin's name; asking for one that
/// was not declared throws std::logic_error. Values are those at the time the plugin was started.
/// [any thread]
class Settings {
public:
    virtual ~Settings() = default;

    /// As it is written. @throws std::logic_error for a key of another kind, as all of these.
    [[nodiscard]] virtual std::string text(std::string_view key) const = 0;
    /// `true` or `false`.
    [[nodiscard]] virtual bool boolean(std::string_view key) const = 0;
    /// From Setting::low to Setting::high.
    [[nodiscard]] virtual std::int64_t integer(std::string_view key) const = 0;
    /// In milliseconds, whatever unit was written.
    [[nodiscard]] virtual std::chrono::milliseconds duration(std::string_view key) const = 0;
    /// Bytes.
    [[nodiscard]] virtual std::size_t size(std::string_view key) const = 0;
    /// The words, without white space around them.
    [[nodiscard]] virtual std::vector<std::string> list(std::string_view key) const = 0;

    /// Whether the file or the command line sets the key.
    [[nodiscard]] virtual bool has(std::string_view key) const = 0;
    /// The names that are set right below `prefix`: `main` for `provider.main.type` and prefix `provider`.
    [[nodiscard]] virtual std::vector<std::string> names(std::string_view prefix) const = 0;
};

}  // namespace sallyport
