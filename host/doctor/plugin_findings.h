// What plugins have found, and under which heading it is told.
#pragma once

#include <string_view>

#include "host/doctor/report.h"
#include "host/doctor/subject.h"

namespace sallyport::host::doctor {

/// Findings of plugins under these names stand with those of the host.
inline constexpr const char* configurationCheck = "configuration";
inline constexpr const char* pluginsCheck = "plugins";

/// All findings of plugins under that name.
[[nodiscard]] Report findingsOf(const Subject& subject, std::string_view check);

/// Whether a plugin that is in trouble has told of that itself, under a name of its own.
[[nodiscard]] bool hasTold(const Subject& subject, std::string_view plugin, std::string_view trouble);

}  // namespace sallyport::host::doctor
