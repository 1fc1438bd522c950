#include "provider_examination.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include <sallyport/ascii.h>
#include <sallyport/errors.h>
#include <sallyport/secrets.h>

#include "key_reading.h"
#include "upstream/reachability.h"
#include "upstream/tls_contexts.h"

namespace sallyport::plugins::llm {

namespace {

using Scope = Examination::Scope;
using Presence = Examination::Given::Presence;

constexpr const char* ofKeys = "keys";
constexpr const char* ofUpstreams = "upstream";
constexpr std::chrono::milliseconds greatestPatience{10'000};

std::string settingOf(const Provider& provider, const char* name) {
    return "llm.provider." + provider.name + "." + name;
}

/// The keys of the providers.
class Keys {
public:
    explicit Keys(Examination& examination) : examination_(examination) {}

    void examine(const Provider& provider) {
        switch (provider.key.kind) {
            case KeySource::Kind::none:
                break;
            case KeySource::Kind::environment:
                variable(provider);
                break;
            case KeySource::Kind::file:
                tell(provider, problemWithFile(provider));
                warnIfOthersRead(provider);
                break;
            case KeySource::Kind::secret:
                if (examination_.scope() == Scope::everything && examination_.hasStore()) {
                    tell(provider, problemWithSecret(provider));
                }
                break;
        }
    }

private:
    void tell(const Provider& provider, const std::string& problem) {
        const std::string setting = settingOf(provider, "key");
        if (problem.empty()) {
            examination_.ok(ofKeys, setting + ": the key is there");
        } else {
            examination_.fail(ofKeys, setting + ": " + problem);
        }
    }

    /// Empty if it may be.
    static std::string problemWithUse(const Provider& provider, const SecretText& text) {
        try {
            static_cast<void>(usableKey(provider, text));
            return {};
        } catch (const NoKey& problem) {
            return std::string("cannot be used: ") + problem.what();
        }
    }

    void variable(const Provider& provider) {
        const std::string& name = provider.key.name;
        const std::string advice = " (systemctl edit sallyport, with Environment= or EnvironmentFile=)";
        const auto given = examination_.variable(name);
        if (given.presence == Presence::absent) {
            tell(provider, "the daemon's environment has no " + name +
                               ": set it there and restart the daemon" + advice);
        } else if (given.presence == Presence::present) {
            const std::string problem = given.value ? problemWithUse(provider, *given.value) : "";
            tell(provider, problem.empty() ? "" : "the key " + problem);
        } else if (examination_.scope() == Scope::everything) {
            examination_.warn(ofKeys, settingOf(provider, "key") + ": whether the daemon's environment has " +
                                          name + " cannot be seen from here: see that it does" + advice);
        }
    }

    /// Empty if there is none.
    [[nodiscard]] std::string problemWithFile(const Provider& provider) const {
        const std::string& file = provider.key.name;
        errno = 0;
        if (const std::ifstream input(file); !input) {
            return file + " cannot be read by " + examination_.user() + " (" +
                   std::generic_category().message(errno) + "): put the key there, readable by that user";
        }
        try {
            const SecretText text = readNear(provider.key);
            if (text.reveal().find_first_not_of(" \t\r\n") == std::string_view::npos) {
                return file + " is empty: put the key there";
            }
            const std::string problem = problemWithUse(provider, text);
            return problem.empty() ? "" : "the key " + problem;
        } catch (const NoKey& problem) {
            return problem.what();
        }
    }

    void warnIfOthersRead(const Provider& provider) {
        const std::string& file = provider.key.name;
        struct stat status {};
        if (examination_.scope() == Scope::everything && ::stat(file.c_str(), &status) == 0 &&
            (status.st_mode & S_IROTH) != 0) {
            examination_.warn(ofKeys, settingOf(provider, "key") + ": everybody can read " + file +
                                          ": run chmod o-r " + file);
        }
    }

    /// Empty if there is none, or the plugin that keeps the secrets says it of all of them.
    [[nodiscard]] std::string problemWithSecret(const Provider& provider) const {
        const KeySource& source = provider.key;
        const std::string name = ascii::lowered(source.name);
        const std::string which = "the secret " + name + " of user " + source.user;
        const std::string set = ": run sallyport secret set --user " + source.user + " " + name;
        const auto vault = examination_.find<SecretVault>();
        if (!vault) {
            return which + " cannot be had: no plugin that keeps secrets is loaded";
        }
        try {
            const std::string problem =
                problemWithUse(provider, vault->reveal("llm", source.user, source.name));
            return problem.empty() ? "" : which + " " + problem;
        } catch (const RequestError& refusal) {
            if (refusal.code() == "secret_missing") {
                return which + " is not there" + set;
            }
            if (refusal.code() == "secret_expired") {
                return which + " has expired" + set;
            }
            if (refusal.status() < 500) {
                return which + " cannot be had: " + refusal.what();
            }
            return {};
        }
    }

    Examination& examination_;
};

/// What to do about it.
std::string advice(const Outcome& outcome, const Provider& provider, bool proxied) {
    switch (outcome.problem) {
        case UpstreamProblem::resolve:
            return proxied ? "see that " + settingOf(provider, "proxy") + " (or https_proxy) is right"
                           : "see that " + settingOf(provider, "base_url") +
                                 " is right and that this machine can look names up";
        case UpstreamProblem::tls:
            return outcome.detail.starts_with(untrustedPeer)
                       ? "it is not shown to be who it should be, and gets no key: see that " +
                             settingOf(provider, "base_url") + " has its right name, and let " +
                             settingOf(provider, "ca_file") +
                             " be the authority's certificate if that is one of your own (else install "
                             "ca-certificates)"
                       : "see that " + settingOf(provider, "base_url") + " should be https at all";
        default:
            return "see that it is up, that " + settingOf(provider, "base_url") +
                   " is right, and that firewall and proxy let this machine through";
    }
}

/// Whether the providers can be reached.
class Upstreams {
public:
    explicit Upstreams(Examination& examination) : examination_(examination) {}

    void examine(const std::vector<Provider>& providers) {
        for (const Provider& provider : providers) {
            if (provider.type != ProviderType::echo) {
                prepare(provider);
            }
        }
        const std::vector<Outcome> outcomes = reach(destinations_);
        for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const Outcome& outcome = outcomes[i];
            const Provider& provider = *prepared_[i];
            if (outcome.problem == UpstreamProblem::none) {
                examination_.ok(ofUpstreams, nameOf(provider) + " can be reached");
            } else {
                fail(provider, outcome.detail + ": " +
                                   advice(outcome, provider, destinations_[i].route.proxy.has_value()));
            }
        }
    }

private:
    /// Tells what is wrong before it is tried.
    void prepare(const Provider& provider) {
        try {
            Route route = routeTo(Url::parse(provider.baseUrl), provider.endpoint, environment_);
            if (route.tls) {
                static_cast<void>(TlsContexts().trusting(route.caFile));
            }
            const auto limit = provider.endpoint.connect;
            destinations_.push_back({std::move(route), limit.count() == 0
                                                           ? greatestPatience
                                                           : std::min(limit, greatestPatience)});
            prepared_.push_back(&provider);
        } catch (const std::invalid_argument& wrong) {
            fail(provider, std::string(wrong.what()) + ": see that " + settingOf(provider, "proxy") +
                               " (or https_proxy) is right");
        } catch (const std::runtime_error& problem) {
            fail(provider, std::string(problem.what()) + ": let " + settingOf(provider, "ca_file") +
                               " be a readable file of certificates (PEM)");
        }
    }

    static std::string nameOf(const Provider& provider) {
        return provider.name + " (" + provider.baseUrl + ")";
    }

    void fail(const Provider& provider, const std::string& problem) {
        examination_.fail(ofUpstreams, nameOf(provider) + ": " + problem);
    }

    Examination& examination_;
    const EnvironmentProxies environment_;
    std::vector<Destination> destinations_;
    std::vector<const Provider*> prepared_;  ///< to whom these belong
};

}  // namespace

void examineProviders(Examination& examination, const std::vector<Provider>& providers) {
    if (examination.scope() == Scope::restored) {
        return;
    }
    if (examination.hasDaemonsRights()) {
        Keys keys(examination);
        for (const Provider& provider : providers) {
            keys.examine(provider);
        }
    }
    if (examination.mayUseNetwork()) {
        Upstreams(examination).examine(providers);
    }
}

}  // namespace sallyport::plugins::llm
