// What the doctor found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <sallyport/ext/examination.h>

namespace sallyport::host::doctor {

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
    void add(const Report& other) {
        findings_.insert(findings_.end(), other.findings_.begin(), other.findings_.end());
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
