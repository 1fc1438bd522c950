// The checks, in the order in which they are made.
#pragma once

#include "host/doctor/report.h"
#include "host/doctor/subject.h"

namespace sallyport::host::doctor {

/// What is set, known and possible. Opens the plugins, which the others need.
void checkConfiguration(Subject& subject, Report& report);
/// Who owns the files, and who else may read or write them.
void checkPermissions(const Subject& subject, Report& report);
/// What is free where the database is.
void checkDisk(const Subject& subject, Report& report);
/// Whether the daemon runs and answers, else whether its addresses are free.
void checkDoors(Subject& subject, Report& report);
/// Whether each plugin runs, or else would load.
void checkPlugins(const Subject& subject, Report& report);
/// Crashes of earlier runs that nobody has acknowledged.
void checkCrashes(const Subject& subject, Report& report);
void checkDatabase(const Subject& subject, Report& report);
/// The master key, the secrets under it, and the keys of model providers.
void checkKeys(const Subject& subject, Report& report);
/// Whether model providers can be reached, as far as the end of the TLS handshake.
void checkUpstreams(const Subject& subject, Report& report);

}  // namespace sallyport::host::doctor
