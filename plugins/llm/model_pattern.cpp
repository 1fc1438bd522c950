#include "model_pattern.h"

#include <stdexcept>

namespace sallyport::plugins::llm {

ModelPattern::ModelPattern(std::string_view text) : text_(text), open_(text.ends_with('*')) {
    if (open_) {
        text_.pop_back();
    }
    if (text.empty() || text_.find('*') != std::string::npos) {
        throw std::invalid_argument("'" + std::string(text) +
                                    "' is no name of a model, nor a beginning of names that ends in *");
    }
}

bool ModelPattern::matches(std::string_view model) const {
    return open_ ? model.starts_with(text_) : model == text_;
}

bool ModelPattern::isCloserThan(const ModelPattern& other) const {
    return open_ == other.open_ ? text_.size() > other.text_.size() : other.open_;
}

}  // namespace sallyport::plugins::llm
