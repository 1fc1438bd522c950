#include "tests/unit/plugins/fake_host.h"

#include <algorithm>
#include <future>
#include <stdexcept>

#include <sallyport/errors.h>

#include "tests/support/io_thread.h"

namespace sallyport::tests {

namespace {

/// Waits for the answer of a deferred reply.
Reply resolved(Reply reply) {
    auto* const deferred = std::get_if<Reply::Deferred>(&reply.content());
    if (deferred == nullptr) {
        return reply;
    }
    // Shared, because who fulfils may still be inside the promise when this thread goes on.
    const auto answer = std::make_shared<std::promise<Reply>>();
    auto future = answer->get_future();
    deferred->start(Promise([answer](Reply given) { answer->set_value(std::move(given)); }));
    return future.get();
}

std::vector<std::string> segments(const std::string& path) {
    std::vector<std::string> result;
    for (std::size_t at = 1; at <= path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        result.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return result;
}

}  // namespace

void RecordingLog::write(LogLevel level, std::string_view /*message*/, Fields /*fields*/) {
    const std::lock_guard lock(mutex_);
    levels_.push_back(level);
}

std::size_t RecordingLog::count(LogLevel least) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(levels_.begin(), levels_.end(), [least](LogLevel level) { return level >= least; }));
}

void FailingStore::holdWrites() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
}

void FailingStore::awaitHeld() {
    std::unique_lock lock(mutex_);
    held_.wait(lock, [this] { return !waiting_.empty(); });
}

void FailingStore::letGo() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    for (auto& [work, done] : waiting_) {
        store_.submit(failedIfWanted(std::move(work)), std::move(done));
    }
    waiting_.clear();
}

void FailingStore::migrate(std::string_view component, const std::vector<Migration>& steps) {
    store_.migrate(component, steps);
}

void FailingStore::submit(Work work, Done done) {
    if (refusing_) {
        throw StoreError("the queue of writes is full");
    }
    const std::lock_guard lock(mutex_);
    if (holding_) {
        waiting_.emplace_back(std::move(work), std::move(done));
        held_.notify_all();
        return;
    }
    store_.submit(failedIfWanted(std::move(work)), std::move(done));
}

void FailingStore::write(Work work) {
    store_.write(failedIfWanted(std::move(work)));
}

Rows FailingStore::query(std::string_view sql, const std::vector<SqlValue>& values) {
    return store_.query(sql, values);
}

Store::Work FailingStore::failedIfWanted(Work work) const {
    if (!failing_) {
        return work;
    }
    return [](Transaction&) { throw StoreError("the disk is full"); };
}

void RecordingHub::advanceTo(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    last_ = std::max(last_, id);
}

void RecordingHub::publish(LiveEvent event) {
    const std::lock_guard lock(mutex_);
    last_ = std::max(last_, event.id);
    published_.push_back(std::move(event));
}

void RecordingHub::forget() {
    const std::lock_guard lock(mutex_);
    last_ = 0;
    published_.clear();
}

std::uint64_t RecordingHub::last() const {
    const std::lock_guard lock(mutex_);
    return last_;
}

std::vector<LiveEvent> RecordingHub::published() const {
    const std::lock_guard lock(mutex_);
    return published_;
}

std::string Answer::body() const {
    const auto* const whole = std::get_if<Reply::Whole>(&reply_.content());
    return whole == nullptr ? std::string() : whole->body;
}

json::Object Answer::json() const {
    return json::Value::parse(std::get<Reply::Whole>(reply_.content()).body).object();
}

std::string Answer::code() const {
    return json().required("error").object().string("code");
}

std::string Answer::message() const {
    return json().required("error").object().string("message");
}

const Subscription& Answer::subscription() const {
    return std::get<Reply::Subscribed>(reply_.content()).subscription;
}

std::optional<Answer> Answer::retry() {
    auto reply = std::get<Reply::Parked>(reply_.content()).retry();
    return reply ? std::optional<Answer>(std::in_place, resolved(*std::move(reply)), call_) : std::nullopt;
}

int Answer::statusOnTimeout() const {
    return std::get<Reply::Parked>(reply_.content()).otherwise->status();
}

class FakeHost::RecordedRoutes final : public Routes {
public:
    explicit RecordedRoutes(std::vector<Route>& table) : table_(table) {}

    void worker(std::string_view method, std::string_view pattern, Handler handler,
                RouteOptions options) override {
        table_.push_back(
            {Realm::worker, std::string(method), std::string(pattern), std::move(handler), options});
    }
    void operators(std::string_view method, std::string_view pattern, Handler handler,
                   RouteOptions options) override {
        table_.push_back(
            {Realm::operators, std::string(method), std::string(pattern), std::move(handler), options});
    }

private:
    std::vector<Route>& table_;
};

FakeHost::FakeHost(const std::string& plugin, std::span<const Setting> settings,
                   const host::config::Configuration::Overrides& overrides)
    : database_({.file = (directory_ / "sallyport.db").string()}, log_),
      registry_(database_, workers_, *hostBus_, log_),
      settings_(host::config::Configuration("", overrides).settings(plugin, settings)),
      routes_(std::make_unique<RecordedRoutes>(table_)) {
    messages_.onWake([this](std::string_view topic) {
        const std::lock_guard lock(mutex_);
        woken_.emplace_back(topic);
    });
}

FakeHost::~FakeHost() {
    if (plugin_) {
        plugin_->stop();
    }
    crash();
}

void FakeHost::start(std::unique_ptr<Plugin> plugin) {
    if (plugin_) {
        plugin_->stop();
    }
    crash();
    plugin_ = std::move(plugin);
    plugin_->start(*this);
}

void FakeHost::crash() {
    // What is still under way would call back into it.
    settle();
    table_.clear();
    pluginBus_.reset();
    plugin_.reset();
    pluginBus_ = messages_.group();
}

Routes& FakeHost::routes() {
    return *routes_;
}

std::vector<std::shared_ptr<IoLoop>> FakeHost::ioLoops() {
    if (loops_.empty()) {
        loops_ = ioThreads(1);
    }
    return loops_;
}

std::string FakeHost::workerUrl(const JobId& job) const {
    return "http://host:1/worker/" + job.str();
}

CreatedJob FakeHost::makeJob(const std::string& user) {
    NewJob job;
    job.user = user;
    job.task = "a task";
    return registry_.create(std::move(job));
}

void FakeHost::finish(const JobId& job, JobState end, JobResult result) {
    registry_.finish(job, end, std::move(result), [](const std::exception_ptr&, bool) {});
    settle();
}

void FakeHost::deleteEnded() {
    Sweep sweep(database_, {.turn = std::chrono::hours(1)});
    registry_.removeEndedBefore(now() + std::chrono::hours(1), sweep);
}

void FakeHost::begin(const JobId& job) {
    registry_.start(job, [](const std::exception_ptr&) {});
    settle();
}

std::vector<std::string> FakeHost::woken() const {
    const std::lock_guard lock(mutex_);
    return woken_;
}

Answer FakeHost::worker(const CreatedJob& job, const std::string& method, const std::string& path,
                        const std::string& body) {
    const auto outcome = filter_.worker(job.job.id.str(), {"Bearer " + job.token, std::nullopt});
    if (const auto* error = std::get_if<RequestError>(&outcome)) {
        return {Reply::error(*error), nullptr};
    }
    return worker(std::get<host::auth::Identity>(outcome), method, path, body);
}

Answer FakeHost::worker(const host::auth::Identity& identity, const std::string& method,
                        const std::string& path, const std::string& body) {
    Call::Parts parts;
    parts.method = method;
    parts.body = body;
    return call(Realm::worker, identity, std::move(parts), path);
}

host::auth::Identity FakeHost::identityOf(const CreatedJob& job) const {
    return std::get<host::auth::Identity>(
        filter_.worker(job.job.id.str(), {"Bearer " + job.token, std::nullopt}));
}

Answer FakeHost::operators(const std::string& user, Role role, const std::string& method,
                           const std::string& path, const std::string& body, Call::Pairs headers) {
    auto& token = operatorTokens_[{user, role}];
    if (token.empty()) {
        token = operators_.create("test", user, role).secret;
    }
    Call::Parts parts;
    parts.method = method;
    parts.body = body;
    parts.headers = std::move(headers);
    const auto outcome = filter_.operators({"Bearer " + token, std::nullopt});
    return call(Realm::operators, std::get<host::auth::Identity>(outcome), std::move(parts), path);
}

const RouteOptions& FakeHost::options(Realm realm, const std::string& method,
                                      const std::string& pattern) const {
    for (const Route& route : table_) {
        if (route.realm == realm && route.method == method && route.pattern == pattern) {
            return route.options;
        }
    }
    throw std::out_of_range(method + " " + pattern);
}

/// Keeps the caller for as long as the call.
class OwnedCall final : public Call {
public:
    OwnedCall(const host::auth::Identity& identity, Parts parts)
        : Call(*identity.caller, std::move(parts)), identity_(identity) {}

private:
    host::auth::Identity identity_;
};

Answer FakeHost::call(Realm realm, const host::auth::Identity& identity, Call::Parts parts,
                      const std::string& target) {
    const auto question = target.find('?');
    const std::string path = target.substr(0, question);
    parts.query = question == std::string::npos ? "" : target.substr(question + 1);
    parts.path = path;
    if (!parts.body.empty()) {
        parts.headers.emplace_back("content-type", "application/json");
    }
    // Literals win where two patterns fit.
    const Route* found = nullptr;
    for (const Route& route : table_) {
        Call::Pairs params;
        if (route.realm == realm && route.method == parts.method && fits(route.pattern, path, params) &&
            (found == nullptr || params.size() < parts.params.size())) {
            found = &route;
            parts.params = std::move(params);
        }
    }
    if (found == nullptr) {
        throw std::out_of_range(parts.method + " " + path);
    }
    const auto call = std::make_shared<OwnedCall>(identity, std::move(parts));
    try {
        return {resolved(found->handler(*call)), call};
    } catch (const RequestError& error) {
        return {Reply::error(error), call};
    }
}

bool FakeHost::fits(const std::string& pattern, const std::string& path, Call::Pairs& params) {
    const auto wanted = segments(pattern);
    const auto given = segments(path);
    if (wanted.size() != given.size()) {
        return false;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i].starts_with('{')) {
            params.emplace_back(wanted[i].substr(1, wanted[i].size() - 2), given[i]);
        } else if (wanted[i] != given[i]) {
            return false;
        }
    }
    return true;
}

void FakeHost::provideRaw(std::string_view service, std::shared_ptr<void> provider) {
    services_[std::string(service)] = std::move(provider);
}

std::shared_ptr<void> FakeHost::findRaw(std::string_view service) const {
    const auto found = services_.find(service);
    return found == services_.end() ? nullptr : found->second;
}

}  // namespace sallyport::tests
