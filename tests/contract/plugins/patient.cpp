// Looks itself over, and comes to grief in it if that is wanted.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include <sallyport/ext/examination.h>
#include <sallyport/plugin.h>

namespace {

using sallyport::Examination;

/// What the patients have for each other.
class Temperature {
public:
    static constexpr const char* serviceName = "temperature";

    virtual ~Temperature() = default;
    [[nodiscard]] virtual int degrees() const = 0;
};

class Warm final : public Temperature {
public:
    [[nodiscard]] int degrees() const override { return 37; }
};

constexpr sallyport::Setting settings[] = {
    {"how", sallyport::SettingKind::text, "well", "What becomes of the examination"}};

class Patient final : public sallyport::Plugin {
public:
    ~Patient() override {
        if (how_ == "crashes at its end") {
            std::abort();
        }
    }

    void start(sallyport::Host&) override {}

    void examine(Examination& examination) override {
        how_ = examination.settings().text("how");
        examination.ok(NAME, "it is asked how it is");
        if (how_ == "warns") {
            examination.warn(NAME, "it is to be watched");
        } else if (how_ == "fails") {
            examination.fail(NAME, "it is ill: treat it");
        } else if (how_ == "is set wrongly") {
            examination.fail("configuration", NAME ".how is wrong");
        } else if (how_ == "provides") {
            examination.provide<Temperature>(std::make_shared<Warm>());
        } else if (how_ == "asks") {
            const auto other = examination.find<Temperature>();
            examination.ok(NAME, other ? std::to_string(other->degrees()) + " degrees" : "nobody is there");
        } else if (how_ == "prints") {
            std::puts("a line of its own");
            std::fflush(stdout);
        } else if (how_ == "is somebody") {
            examination.warn(NAME, "it is user " + std::to_string(::getuid()));
        } else if (how_ == "looks around") {
            examination.ok(NAME, std::to_string(openDescriptors()) + " are open");
        } else {
            comeToGrief();
        }
    }

private:
    /// Of those that are not its own: it has opened none, and its code is in the first.
    static int openDescriptors() {
        int open = 0;
        for (int descriptor = 64; descriptor < 1024; ++descriptor) {
            open += ::fcntl(descriptor, F_GETFD) == -1 ? 0 : 1;
        }
        return open;
    }

    void comeToGrief() const {
        if (how_ == "throws") {
            throw std::runtime_error("no such luck");
        }
        if (how_ == "throws anything") {
            throw 42;
        }
        if (how_ == "crashes") {
            std::abort();
        }
        if (how_ == "exits") {
            std::_Exit(3);
        }
        while (how_ == "hangs") {
            ::pause();
        }
    }

    std::string how_;
};

}  // namespace

SALLYPORT_PLUGIN_WITH_SETTINGS(Patient, NAME, "1", "Looks itself over", settings)
