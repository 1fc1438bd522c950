#include "jobs_plugin.h"

#include <future>
#include <memory>
#include <utility>

#include <sallyport/errors.h>
#include <sallyport/json_writer.h>
#include <sallyport/quarantine.h>
#include <sallyport/usage.h>
#include <sallyport/user_id.h>

#include "job_json.h"
#include "job_request.h"
#include "terms_request.h"

namespace sallyport::plugins {

namespace {

constexpr std::int64_t maxPage = 200;
constexpr std::int64_t defaultPage = 50;

/// Whose jobs a list is about: the caller's own unless it names another; nobody's in particular for `*`.
std::optional<std::string> userToList(const Call& call) {
    const auto named = userInQuery(call);
    if (!named) {
        return call.caller().user();
    }
    return *named == "*" ? std::nullopt : named;
}

std::optional<JobState> stateToList(const Call& call) {
    const auto text = call.query("state");
    if (!text) {
        return std::nullopt;
    }
    const auto state = jobState(*text);
    if (!state) {
        throw badRequest(
            "query parameter 'state' must be pending, running, completed, failed, cancelled or interrupted");
    }
    return state;
}

Reply limitsReply(const JobId& job, const JobLimits& own, const JobLimits& defaults) {
    return Reply::json(200, [&](json::Writer& answer) {
        writeLimits(answer.member("job_id", job.str()).key("limits"), own, defaults);
    });
}

bool canBeRestarted(JobState state) {
    return state == JobState::failed || state == JobState::interrupted || state == JobState::cancelled;
}

}  // namespace

void JobsPlugin::start(Host& host) {
    host_ = &host;
    lifecycle_ = &host.require<JobLifecycle>();
    auto& metrics = host.require<Metrics>();
    started_ = &metrics.counter("started_total", "Jobs whose worker has called for the first time");
    finished_ = &metrics.counters("finished_total", "Jobs that are over",
                                  {{"state",
                                    {name(JobState::completed), name(JobState::failed),
                                     name(JobState::cancelled), name(JobState::interrupted)}}});
    host.bus().subscribe<JobStarted>([this](const JobStarted& message) {
        started_->add();
        showState(message.job, message.user, JobState::running);
    });
    host.bus().subscribe<JobFinished>([this](const JobFinished& message) {
        descriptions_.forget(message.job);
        finished_->of({name(message.state)}).add();
        showState(message.job, message.user, message.state);
    });

    Routes& routes = host.routes();
    const RouteOptions onLoop{.run = Run::loop};
    routes.worker(
        "GET", "/job", [this](const Call& call) { return describe(call); }, onLoop);
    routes.worker(
        "POST", "/status", [this](const Call& call) { return reportStatus(call); }, onLoop);
    routes.worker(
        "POST", "/complete", [this](const Call& call) { return complete(call); }, onLoop);

    const RouteOptions withoutBody{.body = Body::none};
    routes.operators("POST", "/jobs", [this](const Call& call) { return create(call); });
    routes.operators("GET", "/jobs", [this](const Call& call) { return list(call); });
    routes.operators("GET", "/jobs/summary", [this](const Call& call) { return summary(call); });
    routes.operators("GET", "/jobs/{job_id}", [this](const Call& call) { return detail(call); });
    routes.operators(
        "POST", "/jobs/{job_id}/cancel", [this](const Call& call) { return cancel(call); }, withoutBody);
    routes.operators(
        "POST", "/jobs/{job_id}/restart", [this](const Call& call) { return restart(call); }, withoutBody);
    routes.operators("POST", "/jobs/{job_id}/finish", [this](const Call& call) { return finish(call); });
    routes.operators("GET", "/jobs/{job_id}/limits", [this](const Call& call) { return limits(call); });
    routes.operators("PATCH", "/jobs/{job_id}/limits",
                     [this](const Call& call) { return changeLimits(call); });
}

Reply JobsPlugin::describe(const Call& call) {
    const JobId id = call.caller().job();
    if (auto known = descriptions_.find(id)) {
        return Reply::jsonText(200, *std::move(known));
    }
    return Reply::deferred([this, id](const Promise& promise) {
        if (auto read = reads_.join(id, promise)) {
            host_->run([this, id, read = std::move(read)] { readDescription(id, *read); });
        }
    });
}

/// From the registry, which may block on the disk.
void JobsPlugin::readDescription(const JobId& id, PendingReads::Read& read) {
    try {
        const auto job = host_->jobs().find(id);
        if (!job) {
            throw notFound("the job is gone");
        }
        const std::string text = workerJson(*job);
        descriptions_.keep(id, text);
        read.succeed(text);
    } catch (...) {
        read.fail(std::current_exception());
    }
}

Reply JobsPlugin::reportStatus(const Call& call) {
    const JobId id = call.caller().job();
    StatusReport report = readStatusReport(call.json());
    host_->log().debug("a worker reported", {{"job", id.str()}, {"iteration", report.iteration}});
    return Reply::deferred([this, id, report = std::move(report)](const Promise& promise) {
        host_->jobs().reportStatus(id, report.message, report.iteration,
                                   [promise](const std::exception_ptr& problem) {
                                       promise.fulfil(problem ? Reply::failure(problem) : Reply::empty(200));
                                   });
    });
}

Reply JobsPlugin::complete(const Call& call) {
    const JobId id = call.caller().job();
    JobResult result = readCompletion(call.json());
    const JobState end = result.success ? JobState::completed : JobState::failed;
    return Reply::deferred([this, id, end, result = std::move(result)](const Promise& promise) {
        // Whether it was over already makes no difference to the worker.
        host_->jobs().finish(id, end, result, [promise](const std::exception_ptr& problem, bool /*changed*/) {
            promise.fulfil(problem ? Reply::failure(problem) : Reply::jsonText(200, R"({"status":"ok"})"));
        });
    });
}

Reply JobsPlugin::create(const Call& call) {
    const json::Object body = call.json();
    NewJob job = readNewJob(body, call.caller());
    job.terms = readTerms(body, call.caller(), terms()->defaults());
    const CreatedJob created = lifecycle_->create(job, call);
    return Reply::json(201, [&](json::Writer& answer) {
        addAccess(answer.member("job_id", created.job->id.str()), created);
        answer.member("state", name(created.job->state));
    });
}

Reply JobsPlugin::list(const Call& call) {
    JobQuery query;
    query.user = userToList(call);
    query.state = stateToList(call);
    query.limit = static_cast<std::size_t>(call.queryInteger("limit", 1, maxPage, defaultPage));
    query.cursor = call.query("cursor").value_or("");
    const JobPage page = host_->jobs().list(query);

    return Reply::json(200, [&](json::Writer& answer) {
        answer.key("jobs").beginArray();
        for (const auto& job : page.jobs) {
            addShown(answer.beginObject(), *job);
            answer.endObject();
        }
        answer.endArray();
        if (!page.nextCursor.empty()) {
            answer.member("next_cursor", page.nextCursor);
        }
    });
}

Reply JobsPlugin::summary(const Call& call) {
    std::uint64_t total = 0;
    const std::vector<JobCount> counts = host_->jobs().count(userToList(call));
    for (const JobCount& count : counts) {
        total += count.count;
    }
    return Reply::json(200, [&](json::Writer& answer) {
        answer.member("total", total);
        for (const JobCount& count : counts) {
            answer.member(name(count.state), count.count);
        }
    });
}

Reply JobsPlugin::detail(const Call& call) {
    const auto job = findFor(call);
    return Reply::json(200, [&](json::Writer& answer) {
        addShown(answer, *job);
        if (const auto usage = host_->find<JobUsage>()) {
            addTotals(answer.key("usage").beginObject(), usage->of(job->id));
            answer.endObject();
        }
    });
}

/// The members of the job object of lists and details.
void JobsPlugin::addShown(json::Writer& json, const Job& job) const {
    addJob(json, job);
    addMembers(json, lifecycle_->shown(job));
    const auto service = terms();
    addTerms(json, job, service->of(job.id).value_or(JobTerms()), service->defaults());
    const auto quarantine = host_->find<Quarantine>();
    json.member("quarantined", quarantine != nullptr && quarantine->holds(job.id));
}

/// What the worker needs to call; no token where it is withheld.
void JobsPlugin::addAccess(json::Writer& json, const CreatedJob& created) const {
    if (!created.token.empty()) {
        json.member("token", created.token);
    }
    json.member("worker_url", host_->workerUrl(created.job->id));
}

Reply JobsPlugin::cancel(const Call& call) {
    const auto job = findFor(call);
    JobState state = job->state;
    if (!isOver(state)) {
        const JobResult result{false, "cancelled by " + call.caller().user(), job->iteration};
        state = finishNow(job->id, JobState::cancelled, result) ? JobState::cancelled : findFor(call)->state;
    }
    if (state != JobState::cancelled) {
        throw conflict("job_over", std::string("the job has ended already: ") + name(state));
    }
    return Reply::json(200, [&](json::Writer& answer) {
        answer.member("status", "cancelled").member("job_id", job->id.str());
        if (!host_->jobs().durable(job->id)) {
            answer.member("durable", false);
        }
    });
}

Reply JobsPlugin::finish(const Call& call) {
    const auto job = findFor(call);
    const JobResult result = readVerdict(call.json(), *job);
    const JobState end = result.success ? JobState::completed : JobState::failed;
    if (isOver(job->state) || !finishNow(job->id, end, result)) {
        throw conflict("job_over", std::string("the job has ended already: ") + name(findFor(call)->state));
    }
    host_->log().info("an operator told how a job ended", {{"job", job->id.str()},
                                                           {"state", name(end)},
                                                           {"user", call.caller().user()},
                                                           {"request", call.requestId()}});
    return Reply::json(200, [&](json::Writer& answer) {
        answer.member("status", name(end)).member("job_id", job->id.str());
    });
}

Reply JobsPlugin::limits(const Call& call) {
    const auto job = findFor(call);
    const auto service = terms();
    return limitsReply(job->id, service->of(job->id).value_or(JobTerms()).limits, service->defaults());
}

Reply JobsPlugin::changeLimits(const Call& call) {
    const auto job = findFor(call);
    const auto service = terms();
    const JobLimits limits = changedLimits(service->of(job->id).value_or(JobTerms()).limits, call.json(),
                                           call.caller(), service->defaults());
    if (isOver(job->state) || !service->setLimits(job->id, limits)) {
        throw conflict("job_over", "the job has ended and uses nothing up any more");
    }
    host_->log().info(
        "the limits of a job were changed",
        {{"job", job->id.str()}, {"user", call.caller().user()}, {"request", call.requestId()}});
    return limitsReply(job->id, limits, service->defaults());
}

Reply JobsPlugin::restart(const Call& call) {
    const auto old = findFor(call);
    if (!canBeRestarted(old->state)) {
        throw conflict(
            "not_restartable",
            std::string("only a failed, interrupted or cancelled job can be restarted; this one is ") +
                name(old->state));
    }
    NewJob job = restartOf(*old);
    job.terms = terms()->of(old->id).value_or(JobTerms());
    const CreatedJob created = lifecycle_->create(job, call);
    return Reply::json(201, [&](json::Writer& answer) {
        answer.member("status", "restarted").member("old_job_id", old->id.str());
        addAccess(answer.member("new_job_id", created.job->id.str()), created);
    });
}

/// The job that an operator's request is about.
std::shared_ptr<const Job> JobsPlugin::findFor(const Call& call) {
    auto job = host_->jobs().find(call.jobId());
    if (!job || !call.caller().mayAccess(job->user)) {
        throw notFound("there is no such job");
    }
    return job;
}

/// Provided by the host, and so always there.
std::shared_ptr<JobTermsService> JobsPlugin::terms() const {
    return host_->find<JobTermsService>();
}

/// Ends a job and waits until that is durable. @return false when it was over already.
bool JobsPlugin::finishNow(const JobId& job, JobState end, JobResult result) {
    // Shared, because the store's thread may still be inside the promise when this one goes on.
    const auto outcome = std::make_shared<std::promise<bool>>();
    host_->jobs().finish(job, end, std::move(result), [outcome](std::exception_ptr problem, bool changed) {
        if (problem) {
            outcome->set_exception(std::move(problem));
        } else {
            outcome->set_value(changed);
        }
    });
    return outcome->get_future().get();
}

void JobsPlugin::showState(const JobId& job, const std::string& user, JobState state) {
    LiveEvent event;
    event.user = user;
    event.job = job;
    event.type = "job_state";
    json::Writer(event.data)
        .beginObject()
        .member("type", "job_state")
        .member("job_id", job.str())
        .member("state", name(state))
        .endObject();
    host_->events().publish(std::move(event));
}

}  // namespace sallyport::plugins
