// What a job's worker told, as it is shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sallyport/job_id.h>
#include <sallyport/json.h>

#include "host/cli/client_names.h"
#include "host/cli/terminal.h"

namespace sallyport::host::cli {

/// An event in the form in which it is broadcast, wherever it was read, so that a program that reads
/// `job watch --json` sees one form.
struct JobEvent {
    std::optional<std::uint64_t> id;  ///< its number; nothing for one that is not stored
    std::string type;                 ///< such as `job_message`
    std::string json;                 ///< its data: one JSON object on one line
};

/// From an element of the history, which holds what the worker sent, by the table in the contract
/// between worker and host. @throws Refused if it is none.
[[nodiscard]] JobEvent fromHistory(const JobId& job, const json::Value& stored);

/// From the live stream. @throws Refused if its data is no JSON object.
[[nodiscard]] JobEvent fromStream(const SseEvent& event);

/// That the job is in that state, as the live stream tells it.
[[nodiscard]] JobEvent stateEvent(const JobId& job, const std::string& state);

/// The event's data with its number as the first member.
[[nodiscard]] std::string jsonLine(const JobEvent& event);

/// One line for people.
void show(const JobEvent& event, Terminal& terminal);

/// Green for what went well, red for what did not.
[[nodiscard]] Style styleOfState(const std::string& state);

}  // namespace sallyport::host::cli
