// The extensions `job_lifecycle` and `job_tokens`: taking part when a job is created, and handing its worker
// a new token.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/call.h>
#include <sallyport/jobs.h>
#include <sallyport/store.h>

namespace sallyport {

/// A job that somebody asks for and that does not exist yet. The host makes it. [the thread of `prepare`]
class JobDraft {
public:
    virtual ~JobDraft() = default;

    /// The id that the job will have.
    [[nodiscard]] virtual const JobId& id() const = 0;
    /// What is asked for: the owner, the task, and which job it repeats, if any.
    [[nodiscard]] virtual const NewJob& job() const = 0;
    /// A member of the request's body, as JSON text that has been checked; nothing where it is absent or
    /// null. Only members that the participant has declared. It lives as long as the draft.
    [[nodiscard]] virtual std::optional<std::string_view> member(std::string_view name) const = 0;
    /// The operator's request. It outlives the part.
    [[nodiscard]] virtual const Call& asked() const = 0;
};

/// What a plugin stores with one job. It is destroyed when the job has been created, or has not.
class JobPart {
public:
    static constexpr std::uint32_t currentVersion = 1;  ///< of this interface, as this header has it

    virtual ~JobPart() = default;

    /// Which of its functions the plugin's header had, for a host with more. Not to be overridden.
    [[nodiscard]] virtual std::uint32_t version() const { return currentVersion; }

    /// Stores it, in the transaction that creates the job: there is no moment at which one is there without
    /// the other. As Store::Work it may be called more than once, and only the last call counts. What it
    /// throws keeps the job from being created, and a RequestError becomes the answer. [the store's thread]
    virtual void store(Transaction& transaction, const Job& job) = 0;

    /// The job was not created after all: `store` of this or of another plugin threw, or the database took
    /// nothing. What it throws is logged. [the thread of `prepare`]
    virtual void abandoned() {}

    /// It is durable, and nobody knows the job yet. What it throws is logged. [the store's thread]
    virtual void stored() {}

    /// Whether the answer to the operator goes without the job's token, because a launcher runs the job.
    /// Asked once it is durable.
    [[nodiscard]] virtual bool withholdsToken() const { return false; }
};

/// Takes care of the members of `POST /api/jobs` that the plugin has declared. [any thread]
class JobParticipant {
public:
    static constexpr std::uint32_t currentVersion = 1;  ///< of this interface, as this header has it

    virtual ~JobParticipant() = default;

    /// Which of its functions the plugin's header had, for a host with more. Not to be overridden.
    [[nodiscard]] virtual std::uint32_t version() const { return currentVersion; }

    /// Checks what is asked for, and makes of it what is to be stored. Called for every job that is to be
    /// created, whether its request has one of the plugin's members or not. Where a job is to be repeated
    /// (NewJob::restartOf), the part of a member that is absent is what it was for that job.
    /// [a pool thread; may block on the database]
    /// @return null when there is nothing to store.
    /// @throws RequestError, the answer: nothing is stored, nor by others.
    [[nodiscard]] virtual std::unique_ptr<JobPart> prepare(const JobDraft& draft) = 0;

    /// The value of a declared member, for the job object that operators are shown: JSON; nothing where it is
    /// left out. [a pool thread; may block on the database] @throws StoreError
    [[nodiscard]] virtual std::optional<std::string> shown(const Job& job, std::string_view member) {
        static_cast<void>(job);
        static_cast<void>(member);
        return std::nullopt;
    }
};

/// The extension: `host.extension<JobLifecycle>()`.
class JobLifecycle {
public:
    static constexpr const char* extensionName = "job_lifecycle";  ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;           ///< likewise

    virtual ~JobLifecycle() = default;

    /// Declares members of the body of `POST /api/jobs`, and who takes care of them: one participant a
    /// plugin. The host remembers the names: a request that has one of them while the plugin does not run is
    /// answered 503, so that no job comes to be without what was asked for. A job that is to be repeated
    /// needs all plugins that stored something with it. [during start]
    /// @throws std::logic_error for a member of the host's own or another plugin's, and for a second
    /// participant.
    virtual void participate(const std::vector<std::string>& members,
                             std::shared_ptr<JobParticipant> participant) = 0;

    /// Makes a pending job and its token, with all that participants store. Blocks until it is durable.
    /// [a pool thread, in a handler of an operator's request]
    /// @param job   what the caller has read of `asked`.
    /// @param asked the operator's request, with the members of others in its body, which may be empty.
    /// @return the job; its token is empty where it is withheld.
    /// @throws RequestError of a participant, or 503 for a member whose plugin does not run; StoreError
    [[nodiscard]] virtual CreatedJob create(const NewJob& job, const Call& asked) = 0;

    /// Names and values, as JSON, of the members that participants show of the job.
    /// [a pool thread] @throws StoreError
    [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> shown(const Job& job) = 0;
};

/// The extension: `host.extension<JobTokens>()`. Only for plugins that `jobs.launchers` names; others find
/// none.
class JobTokens {
public:
    static constexpr const char* extensionName = "job_tokens";  ///< for Host::extension
    static constexpr std::uint32_t extensionVersion = 1;        ///< likewise

    virtual ~JobTokens() = default;

    /// A fresh token for the job's worker in place of the last, which is good for nothing any more on any
    /// connection: requests under way are answered 401, what is held open is closed. Blocks until it is
    /// durable. [a pool thread]
    /// @return 64 lower-case hex characters, the only copy there will ever be.
    /// @throws std::logic_error on the store's thread, as in a receiver of JobCreated: Host::run leaves it;
    /// RequestError 404 if there is no such job, 409 if it is over; StoreError, and the last token
    /// stays
    [[nodiscard]] virtual std::string renew(const JobId& job) = 0;
};

}  // namespace sallyport
