#include "tests/support/case_file.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <stdexcept>

namespace sallyport::tests {

namespace {

constexpr std::string_view opening = "$(";

/// Where the parenthesis closes that is open before `text`.
std::size_t closing(std::string_view text) {
    std::size_t open = 1;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text.substr(at).starts_with(opening)) {
            ++open;
        } else if (text[at] == ')' && --open == 0) {
            return at;
        }
    }
    throw std::runtime_error("a parenthesis is not closed: " + std::string(text.substr(0, 60)));
}

/// The number at the end of `text`, which begins with `*`; nothing if there is none.
std::size_t repetitions(std::string_view text) {
    std::size_t count = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data() + 1, end, count);
    return problem == std::errc() && stop == end ? count : 0;
}

std::string repeated(std::string_view unit, std::size_t count, const Variables& variables) {
    const std::string text = expanded(unit, variables);
    std::string result;
    result.reserve(text.size() * count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t start = result.size();
        result += text;
        if (const auto number = result.find('#', start); number != std::string::npos) {
            result.replace(number, 1, std::to_string(i));
        }
    }
    return result;
}

std::string bytes(std::string_view hex) {
    std::string result;
    for (std::size_t at = 0; at < hex.size(); at += 3) {
        unsigned value = 0;
        const auto [stop, problem] = std::from_chars(hex.data() + at, hex.data() + at + 2, value, 16);
        if (problem != std::errc() || stop != hex.data() + at + 2) {
            throw std::runtime_error("it is not known what stands for $(" + std::string(hex) + ")");
        }
        result += static_cast<char>(value);
    }
    return result;
}

std::string meaning(std::string_view inside, const Variables& variables) {
    if (const auto found = variables.find(inside); found != variables.end()) {
        return found->second;
    }
    const auto star = inside.rfind('*');
    if (star != std::string_view::npos && repetitions(inside.substr(star)) > 0) {
        return repeated(inside.substr(0, star), repetitions(inside.substr(star)), variables);
    }
    // Two digits for each, and blanks in between.
    if (inside.size() % 3 != 2) {
        throw std::runtime_error("it is not known what stands for $(" + std::string(inside) + ")");
    }
    return bytes(inside);
}

}  // namespace

std::string Case::value(std::string_view key, std::string_view fallback) const {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
    return found == entries.end() ? std::string(fallback) : found->second;
}

std::vector<std::string> Case::values(std::string_view key) const {
    std::vector<std::string> found;
    for (const auto& [name_, text] : entries) {
        if (name_ == key) {
            found.push_back(text);
        }
    }
    return found;
}

std::vector<Case> readCases(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::vector<Case> cases;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line.starts_with('#')) {
            inside = inside && !line.empty();
            continue;
        }
        const auto colon = std::min(line.find(':'), line.size());
        std::string key = line.substr(0, colon);
        std::string text = line.substr(std::min(colon + 2, line.size()));
        if (std::exchange(inside, true)) {
            cases.back().entries.emplace_back(std::move(key), std::move(text));
        } else if (key == "name") {
            cases.push_back({std::move(text), {}});
        } else {
            throw std::runtime_error(file.string() + ": a case begins with '" + line + "' and not its name");
        }
    }
    if (cases.empty()) {
        throw std::runtime_error(file.string() + " has no cases");
    }
    return cases;
}

std::string expanded(std::string_view text, const Variables& variables) {
    std::string result;
    for (auto at = text.find(opening); at != std::string_view::npos; at = text.find(opening)) {
        result += text.substr(0, at);
        text.remove_prefix(at + opening.size());
        const std::size_t end = closing(text);
        result += meaning(text.substr(0, end), variables);
        text.remove_prefix(end + 1);
    }
    return result += text;
}

}  // namespace sallyport::tests
