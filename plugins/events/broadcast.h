// What subscribers are shown of an event.
#pragma once

#include <string>
#include <string_view>

#include <sallyport/job_id.h>
#include <sallyport/json.h>

namespace sallyport::plugins {

/// A live event, all but its number.
struct Broadcast {
    const char* type;  ///< such as `job_message`
    std::string data;  ///< one JSON object on one line, with `type` and `job_id`
};

/// Derives the broadcast from what a worker sent, by the table in the contract: a field that is missing or of
/// the wrong type takes its default, and so do all where `data` is no object. Nothing is ever refused.
[[nodiscard]] Broadcast broadcastOf(const JobId& job, std::string_view eventType, const json::Value& data);

}  // namespace sallyport::plugins
