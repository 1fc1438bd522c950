// What a task was told.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::host::maintenance {

/// Arguments of the form `--name=value`, or `--name` alone. Each is taken once by whoever knows it.
class Arguments {
public:
    /// @throws client::UsageError for a word of another form.
    explicit Arguments(const std::vector<std::string>& words);

    /// The last value of that name; nothing if there is none.
    [[nodiscard]] std::optional<std::string> take(std::string_view name);
    /// All values of that name, in order.
    [[nodiscard]] std::vector<std::string> takeAll(std::string_view name);
    /// Whether the name is there.
    [[nodiscard]] bool takeFlag(std::string_view name) { return take(name).has_value(); }

    /// The last value of a name that must be there. @throws client::UsageError
    [[nodiscard]] std::string require(std::string_view name);

    /// @throws client::UsageError if there is something that nobody has taken.
    void requireAllTaken() const;

private:
    struct Argument {
        std::string name;
        std::string value;
    };
    std::vector<Argument> left_;
};

}  // namespace sallyport::host::maintenance
