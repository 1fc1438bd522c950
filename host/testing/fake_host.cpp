#include <algorithm>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <variant>

#include <stdlib.h>

#include <sallyport/errors.h>
#include <sallyport/ext/metrics.h>
#include <sallyport/ext/tunnels.h>
#include <sallyport/retention.h>
#include <sallyport/testing/fake_host.h>

#include "host/auth/filter.h"
#include "host/bus/message_bus.h"
#include "host/config/configuration.h"
#include "host/entry/rules.h"
#include "host/entry/waiting.h"
#include "host/http/admission.h"
#include "host/http/proxy_request.h"
#include "host/http/router.h"
#include "host/jobs/registry.h"
#include "host/jobs/terms.h"
#include "host/metrics/registry.h"
#include "host/plugins/asset_collector.h"
#include "host/plugins/extensions.h"
#include "host/plugins/job_participants.h"
#include "host/plugins/route_collector.h"
#include "host/store/database.h"
#include "host/testing/on_loop.h"
#include "host/testing/one_loop.h"
#include "host/testing/plugin_store.h"

namespace sallyport::testing {

namespace {

/// Made empty with mode 0700, removed with all that is in it.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sallyport-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::system_error(errno, std::generic_category(), "no directory can be made in " + pattern);
        }
        path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// Keeps the caller for as long as the call.
class OwnedCall final : public Call {
public:
    OwnedCall(std::shared_ptr<const Caller> caller, Parts parts,
              std::optional<ProxyTarget> target = std::nullopt)
        : Call(*caller, std::move(parts)), caller_(std::move(caller)), target_(std::move(target)) {}

    /// Of a request to a proxy.
    [[nodiscard]] const ProxyTarget& target() const { return target_.value(); }

private:
    std::shared_ptr<const Caller> caller_;
    std::optional<ProxyTarget> target_;
};

std::shared_ptr<const Settings> checkedSettings(const std::string& plugin, std::span<const Setting> declared,
                                                const FakeHost::Values& values) {
    const host::config::Configuration configuration("", values);
    std::vector<std::string> known;
    for (const Setting& setting : declared) {
        known.push_back(plugin + "." + setting.key);
    }
    if (const auto unknown = configuration.unknownKeys(known); !unknown.empty()) {
        throw std::invalid_argument(unknown.front());
    }
    return configuration.settings(plugin, declared);
}

/// @throws RequestError if the filter lets nobody in.
std::shared_ptr<const Caller> letIn(const std::variant<host::auth::Identity, RequestError>& outcome) {
    if (const auto* denied = std::get_if<RequestError>(&outcome)) {
        throw *denied;
    }
    return std::get<host::auth::Identity>(outcome).caller;
}

bool hasHeader(const Call::Pairs& headers, std::string_view name) {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const auto& header) { return header.first == name; });
}

Call::Pairs withProxyToken(Call::Pairs headers, const std::string& token) {
    headers.emplace_back("proxy-authorization", "Bearer " + token);
    return headers;
}

/// As they are by default.
constexpr host::http::Limits headLimits;

}  // namespace

class FakeHost::Impl {
public:
    Impl(std::string pluginName, std::span<const Setting> declared, const Values& values)
        : name(std::move(pluginName)),
          settings(checkedSettings(name, declared, values)),
          database({.file = (directory.path() / "sallyport.db").string()}, log),
          registry(database, workers, *hostBus, log) {
        offered[JobTermsService::serviceName] = {std::shared_ptr<void>(),
                                                 static_cast<JobTermsService*>(&terms)};
        extensions.add<IoLoops>(io);
        extensions.add<Metrics>(*pluginMetrics);
        extensions.add<JobTokens>(jobTokens);
        std::filesystem::create_directories(assetDirectory);
        messages.onWake([this](std::string_view topic) {
            const std::lock_guard lock(mutex);
            woken.emplace_back(topic);
        });
        takeBack();
    }

    /// Takes back all that the plugin registered, and the plugin itself.
    void takeBack() {
        // What is still under way would call back into it.
        settle();
        io.end();
        lifecycle.reset();
        table.reset();
        const auto gate = std::make_shared<host::http::Gate>(name, std::string(), &log);
        io.begin(gate);
        const auto next = std::make_shared<host::entry::StartPhase>();
        routes = std::make_unique<host::plugins::RouteCollector>(
            nullptr, gate, [](const host::http::Route&) { return std::string(); }, next);
        assets = std::make_unique<host::plugins::AssetCollector>(name, assetDirectory, next);
        extensions.add<Assets>(*assets);
        lifecycle = std::make_unique<host::plugins::PluginJobLifecycle>(participants, nullptr, gate, next);
        extensions.add<JobLifecycle>(*lifecycle);
        extensions.add<Tunnels>(*routes);
        timers.clear();
        provided.clear();
        pluginBus.reset();
        plugin.reset();
        starting = next;
        ownStore.begin(starting);
        pluginBus = messages.group([phase = starting](host::bus::MessageBus::Receiver receive) {
            phase->require("Bus::subscribe");
            return [receive = std::move(receive)](const void* message) {
                const host::entry::Waiting here(host::entry::Waiting::Rule::message);
                receive(message);
            };
        });
    }

    void start(FakeHost& host, std::shared_ptr<Plugin> fresh) {
        stop();
        plugin = std::move(fresh);
        try {
            plugin->start(host);
        } catch (...) {
            takeBack();
            throw;
        }
        starting->end();
        lifecycle->begin();
        host::http::RouteTable::AssetTrees trees;
        if (const auto& tree = assets->tree()) {
            trees.push_back(tree);
        }
        table = std::make_unique<host::http::RouteTable>(routes->take(), 0, std::move(trees));
    }

    void stop() {
        for (const auto& held : std::exchange(tunnels, {})) {
            if (const auto tunnel = held.lock()) {
                tunnel->hangUp(TunnelEnd::stopping);
            }
        }
        if (plugin) {
            plugin->stop();
        }
        takeBack();
    }

    Answer proxied(const std::string& method, const std::string& target, Call::Pairs fields) {
        namespace http = host::http;
        if (!hasHeader(fields, "host")) {
            fields.emplace_back("host", "client.example");
        }
        std::string text = method + " " + target + " HTTP/1.1\r\n";
        for (const auto& [name, value] : fields) {
            text.append(name).append(": ").append(value).append("\r\n");
        }
        http::HeadParser parser(headLimits);
        parser.feed(text + "\r\n");
        if (parser.state() != http::HeadParser::State::complete) {
            const auto& error = parser.error();
            return {Reply::error(RequestError(error.status, error.code, error.message)), nullptr};
        }
        auto head = parser.take();
        const auto kind = http::proxyKind(head, Realm::worker, routeTable());
        if (!kind) {
            return {Reply::error(notFound("there is nothing at this path")), nullptr};
        }
        auto routed = http::routeProxy(routeTable(), Realm::worker, *kind);
        if (routed.answer) {
            return {std::move(*routed.answer), nullptr};
        }
        auto result = http::authenticateProxy(filter, head);
        if (const auto* denied = std::get_if<RequestError>(&result)) {
            return {http::refusal(*denied), nullptr};
        }
        const auto& identity = std::get<http::Authenticated>(result).identity;
        if (const auto problem = http::tokenGivenAway(head, identity)) {
            return {http::refusal(*problem), nullptr};
        }
        Call::Parts parts;
        parts.method = head.method;
        parts.path = head.path;
        parts.query = head.query;
        parts.headers = http::forwardedFields(std::move(head.headers), *head.target);
        const auto call =
            std::make_shared<OwnedCall>(identity.caller, std::move(parts), std::move(head.target));
        const auto& route = *routed.match.route;
        const auto answer = [&] { return answerOf(route, call); };
        return route.run == Run::loop ? onLoop(*io.loops().front(), answer) : answer();
    }

    void settle() {
        database.write([](Transaction&) {});
    }

    Answer request(Realm realm, const std::shared_ptr<const Caller>& caller, Call::Parts parts,
                   const std::string& target) {
        const auto question = target.find('?');
        parts.path = target.substr(0, question);
        parts.query = question == std::string::npos ? "" : target.substr(question + 1);
        auto match = lookUp(realm, parts);
        if (auto* const refusal = std::get_if<Reply>(&match)) {
            return {std::move(*refusal), nullptr};
        }
        const auto route = std::get<std::shared_ptr<const host::http::Route>>(match);
        if (const auto denied = host::http::denial(*route, *caller)) {
            return {Reply::error(*denied), nullptr};
        }
        if (route->body == Body::none) {
            parts.body.clear();
        } else if (!parts.body.empty() && !hasHeader(parts.headers, "content-type")) {
            parts.headers.emplace_back("content-type", "application/json");
        }
        parts.secret = route->secret;
        return answerOf(*route, std::make_shared<OwnedCall>(caller, std::move(parts)));
    }

    std::string operatorToken(const std::string& user, Role role) {
        const std::lock_guard lock(mutex);
        auto& token = operatorTokens[{user, role}];
        if (token.empty()) {
            token = operators.create("test", user, role).secret;
        }
        return token;
    }

    const std::string name;
    TemporaryDirectory directory;
    RecordingLog log;
    std::mutex mutex;  ///< guards `woken` and `operatorTokens`
    std::vector<std::string> woken;
    host::bus::MessageBus messages{log};
    std::unique_ptr<Bus> hostBus = messages.group();
    std::unique_ptr<Bus> pluginBus;
    std::shared_ptr<const Settings> settings;
    std::shared_ptr<host::entry::StartPhase> starting;  ///< until the plugin has started
    host::store::Database database;
    PluginStore ownStore{database};
    FailingStore pluginStore{ownStore};
    host::auth::WorkerTokens workers;
    host::auth::Operators operators{database};
    host::auth::Filter filter{workers, operators};
    host::jobs::Registry registry;
    host::jobs::Terms terms{registry, workers, std::chrono::seconds(10)};
    host::plugins::JobParticipants participants{registry, database, {"credentials"}};
    host::plugins::RegistryTokens jobTokens{registry};
    std::map<std::string, std::unique_ptr<host::plugins::PluginJobLifecycle>>
        others;  ///< offered by the test
    RecordingHub hub;
    std::map<std::string, std::shared_ptr<void>, std::less<>> offered;   ///< by the test
    std::map<std::string, std::shared_ptr<void>, std::less<>> provided;  ///< by the plugin
    std::map<std::pair<std::string, Role>, std::string> operatorTokens;
    std::vector<std::function<void()>> timers;
    bool poolIsFull = false;
    OneLoop io;
    std::vector<std::weak_ptr<RecordedTunnel>> tunnels;
    host::metrics::Registry metrics;
    std::unique_ptr<Metrics> pluginMetrics = metrics.of(name);
    const std::string assetDirectory = (directory.path() / "share" / name).string();
    std::unique_ptr<host::plugins::AssetCollector> assets;
    std::unique_ptr<host::plugins::PluginJobLifecycle> lifecycle;
    host::plugins::Extensions extensions;
    std::unique_ptr<host::plugins::RouteCollector> routes;
    std::unique_ptr<host::http::RouteTable> table;
    std::function<std::shared_ptr<Plugin>()> make;
    std::shared_ptr<Plugin> plugin;

private:
    using Found = std::variant<std::shared_ptr<const host::http::Route>, Reply>;

    /// The route, with its parameters put into `parts`, or what such a request is refused with.
    Found lookUp(Realm realm, Call::Parts& parts) const {
        auto match = routeTable().match(realm, parts.method, parts.path);
        if (match.badEncoding) {
            return Reply::error(badRequest("the path's percent-encoding is malformed"));
        }
        if (match.route) {
            parts.params = std::move(match.params);
            return match.route;
        }
        if (match.allow.empty()) {
            return Reply::error(notFound("there is nothing at this path"));
        }
        return Reply::error(
                   RequestError(405, "method_not_allowed", "the method is not one of: " + match.allow))
            .header("Allow", match.allow);
    }

    [[nodiscard]] const host::http::RouteTable& routeTable() const {
        if (!table) {
            throw std::logic_error("no plugin has been started");
        }
        return *table;
    }

    /// Checks of a handler on a loop that it waits for nothing.
    static Reply runHandler(const host::http::Route& route, const OwnedCall& call) {
        using host::entry::Waiting;
        const Waiting here(route.run == Run::loop ? Waiting::Rule::forbidden : Waiting::Rule::allowed);
        return route.proxy ? route.proxy(call, call.target()) : route.handler(call);
    }

    /// A deferred answer is awaited as far as it waits for the store.
    Answer answerOf(const host::http::Route& route, const std::shared_ptr<const OwnedCall>& call) {
        const auto opener = [this](std::shared_ptr<Tunnel> tunnel) {
            auto client = std::make_shared<RecordedTunnel>(io.loops().front(), std::move(tunnel));
            tunnels.push_back(client);
            return client;
        };
        try {
            Answer answer(runHandler(route, *call), call, opener);
            if (!answer.answered()) {
                settle();
            }
            return answer;
        } catch (const RequestError& error) {
            return {Reply::error(error), call};
        }
    }
};

FakeHost::FakeHost(const PluginDescriptor& plugin, const Values& values)
    : FakeHost(plugin.name, settingsOf(plugin), values) {
    impl_->make = [create = plugin.create, destroy = plugin.destroy] {
        return std::shared_ptr<Plugin>(create(), destroy);
    };
}

FakeHost::FakeHost(const std::string& plugin, std::span<const Setting> settings, const Values& values)
    : impl_(std::make_unique<Impl>(plugin, settings, values)) {}

FakeHost::~FakeHost() {
    impl_->stop();
}

std::shared_ptr<Plugin> FakeHost::made() const {
    if (!impl_->make) {
        throw std::logic_error("this host was made without a plugin's descriptor");
    }
    return impl_->make();
}

void FakeHost::start() {
    impl_->start(*this, made());
}

void FakeHost::start(std::unique_ptr<Plugin> plugin) {
    impl_->start(*this, std::move(plugin));
}

void FakeHost::crash() {
    impl_->takeBack();
}

Plugin& FakeHost::plugin() {
    return *impl_->plugin;
}

Routes& FakeHost::routes() {
    return *impl_->routes;
}

Jobs& FakeHost::jobs() {
    return impl_->registry;
}

RecordingHub& FakeHost::events() {
    return impl_->hub;
}

Bus& FakeHost::bus() {
    return *impl_->pluginBus;
}

FailingStore& FakeHost::store() {
    return impl_->pluginStore;
}

const Settings& FakeHost::settings() const {
    return *impl_->settings;
}

RecordingLog& FakeHost::log() {
    return impl_->log;
}

std::string FakeHost::workerUrl(const JobId& job) const {
    return "http://host:1/worker/" + job.str();
}

std::string FakeHost::dataDirectory() const {
    return impl_->directory.path().string();
}

bool FakeHost::run(std::function<void()> task) {
    if (impl_->poolIsFull) {
        return false;
    }
    // On a thread of its own, as it were.
    const host::entry::Waiting here(host::entry::Waiting::Rule::allowed);
    task();
    return true;
}

void FakeHost::fillPool(bool full) {
    impl_->poolIsFull = full;
}

void FakeHost::every(std::chrono::milliseconds /*interval*/, std::function<void()> task) {
    impl_->starting->require("Host::every");
    impl_->timers.push_back(std::move(task));
}

std::int64_t FakeHost::metric(const std::string& metric, const std::vector<std::string>& values) const {
    const std::string shown = "sallyport_" + impl_->name + "_" + metric;
    for (const auto& [name, shape, readings] : impl_->metrics.read()) {
        for (const auto& reading : readings) {
            if (name == shown && reading.values == values) {
                return reading.number;
            }
        }
    }
    throw std::out_of_range("there is no such number of " + shown);
}

std::vector<FakeHost::MetricInfo> FakeHost::metrics() const {
    std::vector<MetricInfo> all;
    for (const auto& [name, shape, readings] : impl_->metrics.read()) {
        auto& one = all.emplace_back(MetricInfo{name, host::metrics::name(shape->kind), {}, shape->help});
        for (const auto& label : shape->labels) {
            one.labels.push_back(label.name);
        }
    }
    return all;
}

Answer FakeHost::asset(const std::string& path, const Call::Pairs& headers) {
    const auto field = [&](std::string_view name) {
        const auto found = std::find_if(headers.begin(), headers.end(),
                                        [&](const auto& header) { return header.first == name; });
        return found == headers.end() ? std::string_view() : std::string_view(found->second);
    };
    auto reply = impl_->table
                     ? impl_->table->asset({"GET", path, field("accept-encoding"), field("if-none-match")})
                     : std::nullopt;
    return {reply ? *std::move(reply) : Reply::error(notFound("there is nothing at this path")), nullptr};
}

std::string FakeHost::assetDirectory() const {
    return impl_->assetDirectory;
}

void* FakeHost::extensionRaw(std::string_view name, std::uint32_t version) {
    return impl_->extensions.find(name, version);
}

void FakeHost::tick() {
    for (const auto& task : impl_->timers) {
        task();
    }
}

CreatedJob FakeHost::makeJob(const std::string& user) {
    NewJob job;
    job.user = user;
    job.task = "a task";
    return impl_->registry.create(job);
}

CreatedJob FakeHost::createJob(const NewJob& job, const std::string& members) {
    Call::Parts parts;
    parts.method = "POST";
    parts.path = "/api/jobs";
    parts.body = members;
    parts.headers = {{"content-type", "application/json"}};
    const auto asked = call(callerOf(job.user, Role::admin), std::move(parts));
    CreatedJob created = impl_->participants.create(job, *asked);
    settle();
    return created;
}

std::vector<std::pair<std::string, std::string>> FakeHost::shownMembers(const Job& job) const {
    return impl_->participants.shown(job);
}

void FakeHost::offerParticipant(const std::string& plugin, const std::vector<std::string>& members,
                                std::shared_ptr<JobParticipant> participant) {
    const auto phase = std::make_shared<host::entry::StartPhase>();
    auto other = std::make_unique<host::plugins::PluginJobLifecycle>(
        impl_->participants, nullptr, std::make_shared<host::http::Gate>(plugin), phase);
    other->participate(members, std::move(participant));
    phase->end();
    other->begin();
    impl_->others[plugin] = std::move(other);
}

void FakeHost::withdrawParticipant(const std::string& plugin) {
    impl_->others.erase(plugin);
}

void FakeHost::begin(const JobId& job) {
    impl_->registry.start(job, [](const std::exception_ptr&) {});
    settle();
}

void FakeHost::finish(const JobId& job, JobState end, JobResult result) {
    impl_->registry.finish(job, end, std::move(result), [](const std::exception_ptr&, bool) {});
    settle();
}

void FakeHost::deleteEnded() {
    Sweep sweep(impl_->database, {.turn = std::chrono::hours(1)});
    impl_->registry.removeEndedBefore(now() + std::chrono::hours(1), sweep);
}

void FakeHost::settle() {
    impl_->settle();
}

std::int64_t FakeHost::number(std::string_view sql) {
    return impl_->database.query(sql).at(0).integer(0);
}

std::vector<std::string> FakeHost::woken() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->woken;
}

Answer FakeHost::worker(const CreatedJob& job, const std::string& method, const std::string& path,
                        const std::string& body, Call::Pairs headers) {
    try {
        return worker(callerOf(job), method, path, body, std::move(headers));
    } catch (const RequestError& denied) {
        return {Reply::error(denied), nullptr};
    }
}

Answer FakeHost::worker(const std::shared_ptr<const Caller>& caller, const std::string& method,
                        const std::string& path, const std::string& body, Call::Pairs headers) {
    Call::Parts parts;
    parts.method = method;
    parts.body = body;
    parts.headers = std::move(headers);
    return impl_->request(Realm::worker, caller, std::move(parts), path);
}

Answer FakeHost::operators(const std::string& user, Role role, const std::string& method,
                           const std::string& path, const std::string& body, Call::Pairs headers) {
    Call::Parts parts;
    parts.method = method;
    parts.body = body;
    parts.headers = std::move(headers);
    return impl_->request(Realm::operators, callerOf(user, role), std::move(parts), path);
}

Answer FakeHost::connect(const CreatedJob& job, const std::string& authority, const Call::Pairs& headers) {
    return impl_->proxied("CONNECT", authority, withProxyToken(headers, job.token));
}

Answer FakeHost::forward(const CreatedJob& job, const std::string& method, const std::string& url,
                         const Call::Pairs& headers) {
    return impl_->proxied(method, url, withProxyToken(headers, job.token));
}

std::shared_ptr<const Caller> FakeHost::callerOf(const CreatedJob& job) const {
    return letIn(impl_->filter.worker(job.job->id.str(), {"Bearer " + job.token, std::nullopt}));
}

std::shared_ptr<const Caller> FakeHost::callerOf(const std::string& user, Role role) const {
    return letIn(impl_->filter.operators({"Bearer " + impl_->operatorToken(user, role), std::nullopt}));
}

std::shared_ptr<const Call> FakeHost::call(std::shared_ptr<const Caller> caller, Call::Parts parts) {
    return std::make_shared<OwnedCall>(std::move(caller), std::move(parts));
}

RouteOptions FakeHost::options(Realm realm, const std::string& method, const std::string& pattern) const {
    if (impl_->table) {
        for (const auto& route : impl_->table->routes()) {
            if (route->realm == realm && route->method == method && route->pattern == pattern) {
                return {.run = route->run,
                        .body = route->body,
                        .permission = route->permission,
                        .head = route->head,
                        .secret = route->secret,
                        .loopBody = route->loopBody};
            }
        }
    }
    throw std::out_of_range("no route " + method + " " + pattern);
}

void FakeHost::offerRaw(std::string_view service, std::shared_ptr<void> provider) {
    impl_->offered[std::string(service)] = std::move(provider);
}

void FakeHost::provideRaw(std::string_view service, std::shared_ptr<void> provider) {
    impl_->starting->require("Host::provide");
    if (impl_->offered.contains(service)) {
        throw std::logic_error("another plugin provides " + std::string(service));
    }
    impl_->provided[std::string(service)] = std::move(provider);
}

std::shared_ptr<void> FakeHost::offeredRaw(std::string_view service) const {
    const auto found = impl_->offered.find(service);
    return found == impl_->offered.end() ? nullptr : found->second;
}

std::shared_ptr<void> FakeHost::findRaw(std::string_view service) const {
    const auto found = impl_->provided.find(service);
    return found == impl_->provided.end() ? offeredRaw(service) : found->second;
}

}  // namespace sallyport::testing
