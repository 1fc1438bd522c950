#include "host/config/configuration.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>
#include <sstream>
#include <system_error>

#include <Poco/AutoPtr.h>
#include <Poco/Exception.h>
#include <Poco/Util/PropertyFileConfiguration.h>

#include <sallyport/json.h>

#include "host/config/values.h"
#include "host/trust/file.h"

namespace sallyport::host::config {

namespace {

constexpr const char* commandLine = "-D";

/// The file's bytes. Not read by Poco: its reader never ends on a file that cannot be read, as a
/// directory.
std::string textOf(const std::string& file, const std::optional<trust::Trust>& trust) {
    try {
        return trust::contentsOf(file, trust);
    } catch (const trust::Untrusted& problem) {
        throw BadValue("the configuration file " + file + " is refused: " + problem.what());
    } catch (const std::system_error& error) {
        throw BadValue("the configuration file " + file + " cannot be read: " + error.code().message());
    }
}

/// Poco's reader, which lets the last of two lines for a key win and says nothing, with that refused.
class PropertyFile final : public Poco::Util::PropertyFileConfiguration {
public:
    void read(const std::string& file, const std::optional<trust::Trust>& trust) {
        file_ = file;
        std::istringstream contents(textOf(file, trust));
        load(contents);
        file_.clear();
    }

    [[nodiscard]] std::map<std::string, std::string> raw() const { return {begin(), end()}; }

protected:
    ~PropertyFile() override = default;

    void setRaw(const std::string& key, const std::string& value) override {
        std::string present;
        if (!file_.empty() && getRaw(key, present)) {
            throw BadValue(file_ + ": " + key + " is set twice");
        }
        PropertyFileConfiguration::setRaw(key, value);
    }

private:
    std::string file_;  ///< while it is being read
};

/// The first name in a `${name}` of `value` that is not set.
std::optional<std::string> undefinedReference(const PropertyFile& properties, const std::string& value) {
    for (auto start = value.find("${"); start != std::string::npos; start = value.find("${", start)) {
        start += 2;
        const std::string referred = value.substr(start, value.find('}', start) - start);
        if (!properties.has(referred)) {
            return referred;
        }
    }
    return std::nullopt;
}

std::vector<std::string_view> segments(std::string_view key) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto dot = key.find('.');
        parts.push_back(key.substr(0, dot));
        if (dot == std::string_view::npos) {
            return parts;
        }
        key.remove_prefix(dot + 1);
    }
}

/// Whether `key` is `pattern`, whose segments `*` stand for any one segment.
bool fits(std::string_view pattern, std::string_view key) {
    const auto expected = segments(pattern);
    const auto given = segments(key);
    return std::equal(expected.begin(), expected.end(), given.begin(), given.end(),
                      [](std::string_view want, std::string_view have) {
                          return want == have || (want == "*" && !have.empty());
                      });
}

/// `pattern` with the segments that `key` has in the place of each `*`.
std::string filledIn(std::string_view pattern, std::string_view key) {
    const auto expected = segments(pattern);
    const auto given = segments(key);
    std::string filled;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const bool any = expected[i] == "*" && i < given.size();
        filled += i == 0 ? "" : ".";
        filled += any ? given[i] : expected[i];
    }
    return filled;
}

/// How many letters must be changed, added or left out to make `b` of `a` (Levenshtein's distance).
std::size_t editDistance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
        }
    }
    return row.back();
}

/// The known key that `key` was probably meant to be, if one is near enough.
std::optional<std::string> nearest(const std::string& key, const std::vector<std::string>& known) {
    std::optional<std::string> best;
    std::size_t bestDistance = 2 + key.size() / 5;
    for (const std::string& pattern : known) {
        std::string candidate = filledIn(pattern, key);
        const std::size_t distance = editDistance(key, candidate);
        if (distance < bestDistance) {
            bestDistance = distance;
            best = std::move(candidate);
        }
    }
    return best;
}

std::string whole(std::string_view prefix, std::string_view key) {
    return prefix.empty() ? std::string(key) : std::string(prefix) + '.' + std::string(key);
}

/// A declared key. It owns its text, because the plugin that declared it may be unloaded first.
struct Declared {
    std::string key;
    SettingKind kind;
    Value defaultValue;
};

class CheckedSettings final : public Settings {
public:
    CheckedSettings(std::string prefix, std::vector<Declared> declared, std::map<std::string, Value> values,
                    std::vector<std::string> set)
        : prefix_(std::move(prefix)),
          declared_(std::move(declared)),
          values_(std::move(values)),
          set_(std::move(set)) {}

    [[nodiscard]] std::string text(std::string_view key) const override {
        return value(key, SettingKind::text).text;
    }
    [[nodiscard]] bool boolean(std::string_view key) const override {
        return value(key, SettingKind::boolean).number != 0;
    }
    [[nodiscard]] std::int64_t integer(std::string_view key) const override {
        return value(key, SettingKind::integer).number;
    }
    [[nodiscard]] std::chrono::milliseconds duration(std::string_view key) const override {
        return std::chrono::milliseconds(value(key, SettingKind::duration).number);
    }
    [[nodiscard]] std::size_t size(std::string_view key) const override {
        return static_cast<std::size_t>(value(key, SettingKind::size).number);
    }
    [[nodiscard]] std::vector<std::string> list(std::string_view key) const override {
        return value(key, SettingKind::list).words;
    }

    [[nodiscard]] bool has(std::string_view key) const override {
        static_cast<void>(declaration(key));
        return values_.count(std::string(key)) > 0;
    }

    [[nodiscard]] std::vector<std::string> names(std::string_view prefix) const override {
        const std::string start = prefix.empty() ? "" : std::string(prefix) + '.';
        std::set<std::string> found;
        for (const std::string& key : set_) {
            if (key.compare(0, start.size(), start) == 0) {
                found.insert(key.substr(start.size(), key.find('.', start.size()) - start.size()));
            }
        }
        return {found.begin(), found.end()};
    }

private:
    [[nodiscard]] const Declared& declaration(std::string_view key) const {
        for (const Declared& declared : declared_) {
            if (fits(declared.key, key)) {
                return declared;
            }
        }
        throw std::logic_error("the setting " + whole(prefix_, key) + " was not declared");
    }

    [[nodiscard]] const Value& value(std::string_view key, SettingKind kind) const {
        const Declared& declared = declaration(key);
        if (declared.kind != kind) {
            throw std::logic_error("the setting " + whole(prefix_, key) + " was declared as of another kind");
        }
        const auto found = values_.find(std::string(key));
        return found == values_.end() ? declared.defaultValue : found->second;
    }

    std::string prefix_;
    std::vector<Declared> declared_;       ///< those without `*` first
    std::map<std::string, Value> values_;  ///< of the declared keys that are set
    std::vector<std::string> set_;         ///< all keys below the prefix that are set
};

Declared checkedDeclaration(std::string_view prefix, const Setting& setting) {
    auto value = readValue(setting, setting.defaultValue);
    if (!value) {
        throw std::logic_error("the default of the setting " + whole(prefix, setting.key) + " is not " +
                               expectation(setting));
    }
    return {setting.key, setting.kind, std::move(*value)};
}

/// The declared settings, those without `*` first, so that the first that fits a key is the one meant.
std::vector<const Setting*> literalsFirst(std::span<const Setting> declared) {
    std::vector<const Setting*> ordered;
    ordered.reserve(declared.size());
    for (const Setting& setting : declared) {
        ordered.push_back(&setting);
    }
    std::stable_partition(ordered.begin(), ordered.end(), [](const Setting* setting) {
        return std::string_view(setting->key).find('*') == std::string_view::npos;
    });
    return ordered;
}

}  // namespace

Configuration::Configuration(const std::string& file, const Overrides& overrides,
                             const std::optional<trust::Trust>& trust)
    : file_(file) {
    Poco::AutoPtr<PropertyFile> properties(new PropertyFile);
    if (!file.empty()) {
        properties->read(file, trust);
    }
    for (const auto& [key, value] : properties->raw()) {
        origins_[key] = file;
    }
    for (const auto& [key, value] : overrides) {
        properties->setString(key, value);
        origins_[key] = commandLine;
    }
    for (const auto& [key, value] : properties->raw()) {
        if (const auto name = undefinedReference(*properties, value)) {
            throw BadValue(origin(key) + ": " + key + ": " + json::quote("${" + *name + "}") +
                           " names no key that is set");
        }
        try {
            values_[key] = properties->expand(value);
        } catch (const Poco::CircularReferenceException&) {
            throw BadValue(origin(key) + ": " + key + ": its ${…} lead back to itself");
        }
    }
}

std::shared_ptr<const Settings> Configuration::settings(std::string_view prefix,
                                                        std::span<const Setting> declared) const {
    const std::vector<const Setting*> ordered = literalsFirst(declared);
    std::vector<Declared> declarations;
    declarations.reserve(ordered.size());
    for (const Setting* setting : ordered) {
        declarations.push_back(checkedDeclaration(prefix, *setting));
    }
    const std::string start = whole(prefix, "");
    std::map<std::string, Value> values;
    std::vector<std::string> set;
    for (auto next = values_.lower_bound(start);
         next != values_.end() && next->first.compare(0, start.size(), start) == 0; ++next) {
        const auto& [key, text] = *next;
        set.push_back(key.substr(start.size()));
        const auto setting = std::find_if(ordered.begin(), ordered.end(), [&](const Setting* candidate) {
            return fits(candidate->key, set.back());
        });
        if (setting == ordered.end()) {
            continue;
        }
        auto value = readValue(**setting, text);
        if (!value) {
            throw badValue(key, expectation(**setting));
        }
        values.emplace(set.back(), std::move(*value));
    }
    return std::make_shared<CheckedSettings>(std::string(prefix), std::move(declarations), std::move(values),
                                             std::move(set));
}

std::map<std::string, std::string> Configuration::below(std::string_view prefix) const {
    const std::string start = whole(prefix, "");
    std::map<std::string, std::string> found;
    std::copy_if(values_.begin(), values_.end(), std::inserter(found, found.end()),
                 [&](const auto& value) { return value.first.starts_with(start); });
    return found;
}

std::vector<std::string> Configuration::unknownKeys(const std::vector<std::string>& known,
                                                    const std::vector<std::string>& absent) const {
    std::vector<std::string> sentences;
    for (const auto& [key, value] : values_) {
        const bool isKnown =
            std::any_of(known.begin(), known.end(),
                        [&name = key](const std::string& pattern) { return fits(pattern, name); });
        const bool isAbsent = std::find(absent.begin(), absent.end(), segments(key).front()) != absent.end();
        if (isKnown || isAbsent) {
            continue;
        }
        const auto meant = nearest(key, known);
        sentences.push_back(origin(key) + ": unknown key " + json::quote(key) +
                            (meant ? "; did you mean " + *meant + "?" : ""));
    }
    return sentences;
}

std::string Configuration::origin(const std::string& key) const {
    const auto found = origins_.find(key);
    return found == origins_.end() ? "default" : found->second;
}

BadValue Configuration::badValue(const std::string& key, const std::string& expected) const {
    const auto value = values_.find(key);
    return BadValue(origin(key) + ": " + key + " = " +
                    json::quote(value == values_.end() ? "" : value->second) + ": expected " + expected);
}

}  // namespace sallyport::host::config
