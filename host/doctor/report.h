// What the doctor found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::host::doctor {

enum class Verdict { ok, warning, failed };

struct Finding {
    std::string check;  ///< one or two words: what was looked at
    Verdict verdict;
    std::string sentence;  ///< what is so and, unless that is good, what to do
};

class Report {
public:
    void ok(std::string check, std::string sentence) {
        add(std::move(check), Verdict::ok, std::move(sentence));
    }
    void warn(std::string check, std::string sentence) {
        add(std::move(check), Verdict::warning, std::move(sentence));
    }
    void fail(std::string check, std::string sentence) {
        add(std::move(check), Verdict::failed, std::move(sentence));
    }
    void add(std::string check, Verdict verdict, std::string sentence) {
        findings_.push_back({std::move(check), verdict, std::move(sentence)});
    }

    [[nodiscard]] const std::vector<Finding>& findings() const noexcept { return findings_; }
    [[nodiscard]] std::size_t count(Verdict verdict) const {
        return static_cast<std::size_t>(
            std::count_if(findings_.begin(), findings_.end(),
                          [verdict](const Finding& finding) { return finding.verdict == verdict; }));
    }

private:
    std::vector<Finding> findings_;
};

}  // namespace sallyport::host::doctor
