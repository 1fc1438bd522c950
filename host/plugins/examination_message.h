// What the process in which plugins are examined tells the one that started it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sallyport/ext/examination.h>

namespace sallyport::host::plugins {

/// One line of it.
struct ExaminationMessage {
    enum class Kind {
        enters,    ///< code of the plugin is about to run
        finding,   ///< the plugin has found something
        examined,  ///< the plugin has found what there is
        complete,  ///< all plugins have been examined, and their objects are gone
    };
    Kind kind = Kind::complete;
    std::string plugin{};
    Finding finding{};

    /// With a line end.
    [[nodiscard]] std::string line() const;
    /// @param text without the line end. @return nothing for what is no message.
    [[nodiscard]] static std::optional<ExaminationMessage> read(std::string_view text);
};

}  // namespace sallyport::host::plugins
