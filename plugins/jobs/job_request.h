// What clients send about jobs, read and checked.
#pragma once

#include <cstddef>
#include <string>

#include <sallyport/caller.h>
#include <sallyport/jobs.h>
#include <sallyport/json.h>

namespace sallyport::plugins {

/// What of the body of `POST /jobs` is not a matter of its terms, nor of other plugins.
/// @throws RequestError 422 naming the field, 403 for a user that the caller may not act for.
[[nodiscard]] NewJob readNewJob(const json::Object& body, const Caller& caller);

/// The body of a worker's `POST /status`.
struct StatusReport {
    std::optional<std::string> message;
    std::uint32_t iteration = 0;
};

/// The worker's own word for its state is required and not kept. A message that is too long to be kept is
/// cut, since a worker that reports cannot be asked to mend it.
/// @throws RequestError 422 naming the field.
[[nodiscard]] StatusReport readStatusReport(const json::Object& body);

/// The body of a worker's `POST /complete`. The same holds for its message.
/// @throws RequestError 422 naming the field.
[[nodiscard]] JobResult readCompletion(const json::Object& body);

/// The body of `POST /jobs/{job_id}/finish`: how a job ended whose worker cannot tell any more.
/// @throws RequestError 422 naming the field.
[[nodiscard]] JobResult readVerdict(const json::Object& body, const Job& job);

/// A job like `old`, its task extended by why that one did not get done.
[[nodiscard]] NewJob restartOf(const Job& old);

/// The longest beginning of `text` of at most `bytes` bytes that ends between two characters of UTF-8.
[[nodiscard]] std::string cutAt(std::string text, std::size_t bytes);

}  // namespace sallyport::plugins
