#include "host/plugins/examined_plugins.h"

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include <sallyport/error_text.h>
#include <sallyport/plugin.h>

#include "host/entry/entry.h"
#include "host/plugins/library.h"
#include "host/plugins/own_examination.h"

namespace sallyport::host::plugins {

namespace {

using Kind = ExaminationMessage::Kind;
using Tell = std::function<void(const ExaminationMessage&)>;

/// One plugin with its object.
class Patient {
public:
    Patient(const Inspected& inspected, const config::Configuration& configuration,
            const Surroundings& surroundings, ExaminedServices& services, const Tell& tell)
        : owner_{inspected.declaration->name, inspected.declaration->version, nullptr},
          library_({inspected.file, {}, inspected.bytes, inspected.sha256}, std::nullopt),
          examination_(owner_.name, configuration.settings(owner_.name, inspected.settings), surroundings,
                       services, [this, &tell](const Finding& finding) {
                           tell({Kind::finding, owner_.name, finding});
                       }) {
        const entry::Entry entry(owner_, "constructor");
        object_ = library_.descriptor().create();
        if (object_ == nullptr) {
            throw std::runtime_error("its factory made nothing");
        }
    }
    ~Patient() {
        const entry::Entry entry(owner_, "destructor");
        library_.descriptor().destroy(object_);
    }
    Patient(const Patient&) = delete;
    Patient& operator=(const Patient&) = delete;

    void examine() {
        const entry::Entry entry(owner_, "examine");
        object_->examine(examination_);
    }

    [[nodiscard]] const std::string& name() const noexcept { return owner_.name; }

private:
    const entry::Plugin owner_;
    Library library_;
    OwnExamination examination_;
    Plugin* object_ = nullptr;
};

}  // namespace

void examineHere(const std::vector<const Inspected*>& plugins, const config::Configuration& configuration,
                 const Surroundings& surroundings, const Tell& tell) {
    std::vector<std::unique_ptr<Patient>> patients;
    ExaminedServices services;
    for (const Inspected* inspected : plugins) {
        const std::string& name = inspected->declaration->name;
        tell({Kind::enters, name, {}});
        try {
            patients.push_back(
                std::make_unique<Patient>(*inspected, configuration, surroundings, services, tell));
            patients.back()->examine();
        } catch (const config::BadValue&) {
            // Said of the configuration.
        } catch (...) {
            tell({Kind::finding,
                  name,
                  {"plugins", Verdict::failed,
                   name + " could not be examined: " + errorText(std::current_exception())}});
        }
        tell({Kind::examined, name, {}});
    }
    while (!patients.empty()) {
        tell({Kind::enters, patients.back()->name(), {}});
        patients.pop_back();
    }
    tell({Kind::complete, {}, {}});
}

}  // namespace sallyport::host::plugins
