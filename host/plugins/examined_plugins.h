// The plugins of the process in which they are examined.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "host/config/configuration.h"
#include "host/plugins/examination_message.h"
#include "host/plugins/inspection.h"
#include "host/plugins/surroundings.h"

namespace sallyport::host::plugins {

/// Loads one plugin after the other, makes its object and has that look itself over; at the end destroys all
/// of them, the last first. What any of that throws is a finding.
/// @param tell hears of everything, before and after it.
void examineHere(const std::vector<const Inspected*>& plugins, const config::Configuration& configuration,
                 const Surroundings& surroundings,
                 const std::function<void(const ExaminationMessage&)>& tell);

}  // namespace sallyport::host::plugins
