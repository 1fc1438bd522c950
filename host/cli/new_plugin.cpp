#include "host/cli/new_plugin.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string_view>
#include <system_error>

#include <sallyport/plugin_name.h>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

namespace {

namespace fs = std::filesystem;

using Contents = std::map<std::string, std::string>;  ///< by the file's name

constexpr bool isLetter(char c) {
    return c >= 'a' && c <= 'z';
}

/// The name that was probably meant by one that cannot be: `My-Plugin` is `my_plugin`.
std::string nearestName(std::string text) {
    for (char& c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        c = isLetter(c) || (c >= '0' && c <= '9') ? c : '_';
    }
    text.erase(text.begin(), std::find_if(text.begin(), text.end(), isLetter));
    return text.substr(0, maxPluginName);
}

void requireName(const std::string& name) {
    if (isPluginName(name)) {
        return;
    }
    std::vector<std::string> hints;
    if (const std::string nearest = nearestName(name); !nearest.empty()) {
        hints.push_back("Perhaps " + nearest + "?");
    }
    throw UsageError("'" + name +
                         "' is no name for a plugin: that is a lower-case letter, then lower-case letters, " +
                         "digits and underscores, " + std::to_string(maxPluginName) + " at the most",
                     hints);
}

/// Dropping in a second one of that name would overwrite the first.
void requireFree(const std::string& name, const fs::path& plugins) {
    const fs::path file = plugins / (name + ".so");
    std::error_code ignored;
    if (fs::exists(file, ignored)) {
        throw UsageError("a plugin named " + name + " is installed already: " + file.string(),
                         {"Choose another name."});
    }
}

/// Makes the directory. @return whether it was not there. @throws UsageError, Failure
bool claim(const fs::path& directory) {
    std::error_code problem;
    const bool made = fs::create_directories(directory, problem);
    if (!problem && !made && !fs::is_empty(directory, problem) && !problem) {
        throw UsageError(directory.string() + " is there already, and not empty",
                         {"Choose another with --directory, or remove it."});
    }
    if (problem) {
        throw UsageError(directory.string() + " cannot be written to: " + problem.message());
    }
    return made;
}

/// `my_plugin` as the name of a class: `MyPlugin`.
std::string className(std::string_view name) {
    std::string result;
    bool first = true;
    for (const char c : name) {
        if (c != '_') {
            result += first && isLetter(c) ? static_cast<char>(c - 'a' + 'A') : c;
        }
        first = c == '_';
    }
    return result;
}

void replaceAll(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

std::string named(std::string text, const std::string& name) {
    replaceAll(text, "plugin_name", name);
    replaceAll(text, "PluginName", className(name));
    return text;
}

/// The template's files for a plugin of that name. @throws Failure
Contents filledIn(const fs::path& pluginTemplate, const std::string& name) {
    Contents contents;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(pluginTemplate, problem)) {
        // Packages must not have files that steer git.
        const std::string file =
            entry.path().filename() == "gitignore" ? ".gitignore" : entry.path().filename();
        std::ifstream in(entry.path(), std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        if (!in) {
            throw Failure(ExitCode::refused, entry.path().string() + " cannot be read");
        }
        contents.emplace(named(file, name), named(std::move(text), name));
    }
    if (contents.empty()) {
        throw Failure(ExitCode::refused, "the plugin template is not installed in " + pluginTemplate.string(),
                      {"It comes with the package sallyport-dev: apt install sallyport-dev"});
    }
    return contents;
}

/// Files that go away again unless they are kept.
class FreshFiles {
public:
    explicit FreshFiles(const fs::path& directory) : directory_(directory), made_(claim(directory)) {}
    ~FreshFiles() {
        std::error_code ignored;
        for (const fs::path& file : files_) {
            fs::remove(file, ignored);
        }
        if (!files_.empty() && made_) {
            fs::remove(directory_, ignored);
        }
    }
    FreshFiles(const FreshFiles&) = delete;
    FreshFiles& operator=(const FreshFiles&) = delete;

    void add(const std::string& name, const std::string& content) {
        const fs::path& file = files_.emplace_back(directory_ / name);
        std::ofstream out(file, std::ios::binary);
        out << content;
        if (!out.flush()) {
            throw Failure(ExitCode::refused, file.string() + " cannot be written: " + std::strerror(errno));
        }
    }
    void keep() { files_.clear(); }

private:
    fs::path directory_;
    bool made_;
    std::vector<fs::path> files_;
};

}  // namespace

std::vector<std::string> write(const NewPlugin& plugin, const Installation& installation) {
    requireName(plugin.name);
    requireFree(plugin.name, installation.plugins);
    const Contents contents = filledIn(installation.pluginTemplate, plugin.name);
    FreshFiles files(plugin.directory);
    std::vector<std::string> names;
    for (const auto& [name, text] : contents) {
        files.add(name, text);
        names.push_back(name);
    }
    files.keep();
    return names;
}

}  // namespace sallyport::host::cli
