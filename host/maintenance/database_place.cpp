#include "host/maintenance/database_place.h"

#include <optional>

#include "host/config/configuration.h"
#include "host/maintenance/tasks.h"

namespace sallyport::host::maintenance {

namespace {

template <class Map>
Poco::JSON::Object::Ptr objectOf(const Map& map) {
    auto object = orderedObject();
    for (const auto& [key, value] : map) {
        object->set(key, value);
    }
    return object;
}

}  // namespace

FileTask fileTaskIn(Arguments& arguments) {
    FileTask task{.directory = arguments.require("data-dir"),
                  .configuration = arguments.take("config").value_or(""),
                  .file = arguments.require("file"),
                  .force = arguments.takeFlag("force")};
    arguments.requireAllTaken();
    return task;
}

const std::vector<std::string>& sudoHints() {
    static const std::vector<std::string> hints{
        "The data belongs to the user that runs the daemon: try sudo."};
    return hints;
}

config::Configuration configurationFor(const FileTask& task) {
    const config::Configuration::Overrides overrides{{"data.dir", task.directory}};
    try {
        return {task.configuration, overrides, std::nullopt};
    } catch (const config::BadValue&) {
        return {"", overrides, std::nullopt};
    }
}

std::string masterKeyFile(const FileTask& task) {
    static constexpr Setting setting{"master_key_file", SettingKind::text, "", ""};
    const std::string named =
        configurationFor(task).settings("credentials", {&setting, 1})->text(setting.key);
    return named.empty() ? task.directory + "/credentials.key" : named;
}

void addContents(Poco::JSON::Object& document, const store::Contents& contents) {
    document.set("schema", objectOf(contents.schema));
    document.set("rows", objectOf(contents.rows));
}

}  // namespace sallyport::host::maintenance
