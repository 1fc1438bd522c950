// The properties file: what is wrong with it is said in a sentence, and nothing else happens.
#include <array>
#include <fstream>
#include <memory>

#include <stdlib.h>
#include <unistd.h>

#include "host/config/configuration.h"
#include "host/config/host_settings.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sallyport;
using fuzz::require;

/// A file in memory, for as long as the process lives.
class File {
public:
    File() {
        std::array<char, 32> name{"/dev/shm/sallyport-fuzz-XXXXXX"};
        const int descriptor = ::mkstemp(name.data());
        require(descriptor >= 0, "there is a /dev/shm");
        ::close(descriptor);
        name_ = name.data();
    }
    ~File() { ::unlink(name_.c_str()); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    const std::string& with(std::string_view text) {
        std::ofstream(name_, std::ios::binary | std::ios::trunc) << text;
        return name_;
    }

private:
    std::string name_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static File file;
    const std::string& name = file.with(fuzz::textOf(data, size));
    try {
        const host::config::Configuration configuration(name, {{"data.dir", "/"}}, std::nullopt);
        std::vector<std::string> known;
        for (const Setting& setting : host::config::hostSettings()) {
            known.emplace_back(setting.key);
        }
        for (const std::string& sentence : configuration.unknownKeys(known)) {
            require(sentence.find_first_of("\r\n") == std::string::npos, "a sentence is one line");
        }
        for (const auto& [key, value] : configuration.below("llm")) {
            require(key.starts_with("llm."), "a key below a prefix begins with it");
        }
        const auto settings = configuration.settings("", host::config::hostSettings());
        require(settings->text("data.dir") == "/", "what is overridden has its value from there");
        require(settings->integer("http.max_json_depth") >= 4, "a value is within its range");
    } catch (const host::config::BadValue& problem) {
        require(std::string_view(problem.what()).size() > 10, "a problem is said");
    }
    return 0;
}
