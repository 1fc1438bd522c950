// `sallyport doctor`.
#include <cstdint>
#include <string>

#include <Poco/JSON/Array.h>

#include "host/doctor/examination.h"
#include "host/maintenance/tasks.h"

namespace sallyport::host::maintenance {

namespace {

using doctor::Report;

const char* wordOf(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::warning:
            return "warning";
        case Verdict::failed:
            break;
    }
    return "failed";
}

Poco::JSON::Object::Ptr documentOf(const Report& report) {
    Poco::JSON::Array checks;
    for (const Finding& finding : report.findings()) {
        auto check = orderedObject();
        check->set("check", finding.check);
        check->set("status", wordOf(finding.verdict));
        check->set("message", finding.sentence);
        checks.add(check);
    }
    auto document = orderedObject();
    document->set("failures", static_cast<std::uint64_t>(report.count(Verdict::failed)));
    document->set("warnings", static_cast<std::uint64_t>(report.count(Verdict::warning)));
    document->set("checks", checks);
    return document;
}

config::Configuration::Overrides overridesIn(Arguments& arguments) {
    config::Configuration::Overrides overrides;
    for (const std::string& definition : arguments.takeAll("define")) {
        const auto equals = definition.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw client::UsageError("--define takes KEY=VALUE, not '" + definition + "'");
        }
        overrides.emplace_back(definition.substr(0, equals), definition.substr(equals + 1));
    }
    return overrides;
}

}  // namespace

Outcome diagnose(Arguments& arguments) {
    const doctor::Request request{.file = arguments.take("config").value_or(""),
                                  .overrides = overridesIn(arguments),
                                  .tokenFile = arguments.take("token-file"),
                                  .offline = arguments.takeFlag("offline")};
    arguments.requireAllTaken();
    const Report report = doctor::examine(request);
    const bool well = report.count(Verdict::failed) == 0;
    return {.code = well ? client::ExitCode::ok : client::ExitCode::refused, .document = documentOf(report)};
}

}  // namespace sallyport::host::maintenance
