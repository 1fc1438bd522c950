// Which models jobs may use, and under which names.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model_pattern.h"

namespace sallyport::plugins::llm {

/// The operator's rules about models. [any thread; immutable]
class Models {
public:
    /// As the settings list them.
    struct Rules {
        std::vector<std::string> allowed{};  ///< names and beginnings that end in `*`; empty: all
        std::vector<std::string> aliases{};  ///< `ALIAS=MODEL`
        std::vector<std::string> dropped{};  ///< `MODEL=PARAMETER+PARAMETER`, MODEL may end in `*`
    };

    /// @throws std::invalid_argument naming the entry that is malformed.
    explicit Models(const Rules& rules);

    /// The model that a request for this name goes to: what the alias stands for (aliases of aliases are not
    /// followed), else the name itself. Either of the two must be allowed.
    /// @throws RequestError 403 `model_not_allowed`, 422 for a name that is empty or too long.
    [[nodiscard]] std::string resolve(const std::string& asked) const;

    /// Whether `resolve` would give a model.
    [[nodiscard]] bool allows(std::string_view asked) const;

    /// The parameters that this model rejects, of every entry that matches it, sorted, each once.
    [[nodiscard]] std::vector<std::string> dropped(std::string_view model) const;

    /// The names that can be told without asking a provider: aliases, and allowed names that are no
    /// beginnings, sorted.
    [[nodiscard]] std::vector<std::string> names() const;

private:
    struct Dropped {
        ModelPattern pattern;
        std::vector<std::string> parameters;
    };

    [[nodiscard]] bool isListed(std::string_view model) const;

    std::vector<ModelPattern> allowed_;
    std::map<std::string, std::string, std::less<>> aliases_;
    std::vector<Dropped> dropped_;
};

}  // namespace sallyport::plugins::llm
