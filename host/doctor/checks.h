// The checks, in the order in which they are made.
#pragma once

#include "host/doctor/report.h"
#include "host/doctor/subject.h"

namespace sallyport::host::doctor {

/// Opens the plugins, which the others need, and looks what is set and known.
void lookAtConfiguration(Subject& subject);
/// What was found by that, and what the plugins say of their settings.
void checkConfiguration(const Subject& subject, Report& report);
/// Who owns the files, and who else may read or write them.
void checkPermissions(const Subject& subject, Report& report);
/// What is free where the database is.
void checkDisk(const Subject& subject, Report& report);
/// Whether the daemon runs and answers, else whether its addresses are free.
void checkDoors(Subject& subject, Report& report);
/// Has the plugins look themselves over, by what the checks before have found out.
void examinePlugins(Subject& subject, bool offline);
/// Whether each plugin runs, or else would load.
void checkPlugins(const Subject& subject, Report& report);
/// Crashes of earlier runs that nobody has acknowledged.
void checkCrashes(const Subject& subject, Report& report);
void checkDatabase(const Subject& subject, Report& report);
/// What the plugins have found besides.
void addFindings(const Subject& subject, Report& report);

}  // namespace sallyport::host::doctor
