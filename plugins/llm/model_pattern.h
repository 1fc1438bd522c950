// Names of models in the configuration.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport::plugins::llm {

/// The name of a model, or a beginning of names, which ends in `*`. [any thread; immutable]
class ModelPattern {
public:
    /// @throws std::invalid_argument for an empty text, and for a `*` that is not its end.
    explicit ModelPattern(std::string_view text);

    [[nodiscard]] bool matches(std::string_view model) const;
    /// Whether this says more of a model that both match: a name more than a beginning, a long beginning more
    /// than a short one.
    [[nodiscard]] bool isCloserThan(const ModelPattern& other) const;

    [[nodiscard]] bool isName() const noexcept { return !open_; }
    /// The name, or the beginning without its `*`.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
    bool open_ = false;
};

/// The most specific of `entries` whose member `pattern` matches the model; null if none does. Of equals, the
/// last.
template <class Entries>
[[nodiscard]] const typename Entries::value_type* closest(const Entries& entries, std::string_view model) {
    const typename Entries::value_type* best = nullptr;
    for (const auto& entry : entries) {
        if (entry.pattern.matches(model) && (best == nullptr || !best->pattern.isCloserThan(entry.pattern))) {
            best = &entry;
        }
    }
    return best;
}

}  // namespace sallyport::plugins::llm
