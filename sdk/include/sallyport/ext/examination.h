// How a plugin looks itself over, for `sallyport doctor` and `sallyportd --check-config`: see
// Plugin::examine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sallyport/secret_text.h>
#include <sallyport/settings.h>
#include <sallyport/store.h>

namespace sallyport {

/// How what was looked at is.
enum class Verdict {
    ok,       ///< good
    warning,  ///< it works, and somebody should know
    failed,   ///< something does not work, or will not after the next start
};

/// One thing that was looked at.
struct Finding {
    /// What it was, in one or two words, such as `keys`. What stands under `configuration` and `plugins` is
    /// shown with what the host says of those.
    std::string check;
    /// How it is.
    Verdict verdict;
    /// What is so and, unless that is good, what to do about it. It holds no secret.
    std::string sentence;
};

/// What Plugin::examine is given: the plugin's surroundings, as far as they can be seen without its being
/// started, and a place for what it finds. All of it is for the thread that examine was called on, and
/// throws a std::logic_error on another; it lives as long as the plugin's object. Nothing may be changed by
/// looking, and no lock taken: a daemon may be at work with the same files and tables.
class Examination {
public:
    /// How much is asked.
    enum class Scope {
        /// Whether the plugin would start with its settings, and what else can be told without a database and
        /// without the network: `--check-config`.
        configuration,
        /// Whether what the database holds can be used with what is beside it: after a restore.
        restored,
        /// Everything.
        everything,
    };

    /// Something that the daemon is given by its surroundings, as far as it can be seen from here.
    struct Given {
        /// Whether it is there.
        enum class Presence {
            absent,
            present,
            unseen,  ///< it may be there: only the daemon itself, or root, could tell
        };
        Presence presence = Presence::absent;  ///< whether it is there
        std::optional<SecretText> value{};     ///< nothing when it is not there, or its value cannot be seen
    };

    /// What the daemon that runs says of the plugin.
    struct Running {
        std::optional<std::string> trouble;  ///< see Plugin::trouble
    };

    /// Of this header. The interface grows at its end, and this with it.
    static constexpr std::uint32_t currentVersion = 1;

    virtual ~Examination() = default;

    /// The version of the host that examines: what came later than that must not be called.
    [[nodiscard]] virtual std::uint32_t version() const = 0;

    /// How much is asked.
    [[nodiscard]] virtual Scope scope() const = 0;
    /// Whether other machines may be spoken to. Never more than making sure that somebody is there.
    [[nodiscard]] virtual bool mayUseNetwork() const = 0;

    /// The plugin's settings, as Host::settings.
    [[nodiscard]] virtual const Settings& settings() const = 0;
    /// As Host::dataDirectory. Before the first start it is not there.
    [[nodiscard]] virtual std::string dataDirectory() const = 0;

    /// Whether this looks with the daemon's rights. If it does not, then what cannot be read says nothing.
    [[nodiscard]] virtual bool hasDaemonsRights() const = 0;
    /// Whose rights those are: a user's name, for sentences.
    [[nodiscard]] virtual std::string user() const = 0;

    /// Whether there is a database that may be read.
    [[nodiscard]] virtual bool hasStore() const = 0;
    /// Whether there is a table of that name. The plugin has not migrated its tables: they are as the version
    /// that ran last has left them, or not there. @throws StoreError
    [[nodiscard]] virtual bool hasTable(std::string_view table) = 0;
    /// Runs a SELECT on the plugin's own tables. All that one plugin reads is of one moment, that of the
    /// first statement. @throws StoreError, also if there is no database
    [[nodiscard]] virtual Rows query(std::string_view sql, const std::vector<SqlValue>& values = {}) = 0;

    /// A credential that systemd hands to the daemon (systemd.exec(5), LoadCredential=).
    /// @param name begins with `sallyport-`: no others are looked for.
    [[nodiscard]] virtual Given credential(std::string_view name) = 0;
    /// A variable of the daemon's environment: of the one that runs, or else that would be started from here.
    [[nodiscard]] virtual Given variable(const std::string& name) = 0;

    /// Nothing if no daemon runs, or it could not be asked, or has not loaded the plugin.
    [[nodiscard]] virtual std::optional<Running> running() const = 0;

    /// Takes a finding.
    virtual void add(Finding finding) = 0;
    /// Something is good.
    void ok(std::string check, std::string sentence) {
        add({std::move(check), Verdict::ok, std::move(sentence)});
    }
    /// Something works, and somebody should know.
    void warn(std::string check, std::string sentence) {
        add({std::move(check), Verdict::warning, std::move(sentence)});
    }
    /// Something does not work.
    void fail(std::string check, std::string sentence) {
        add({std::move(check), Verdict::failed, std::move(sentence)});
    }

    /// Offers an implementation of the interface S to the plugins that are examined after this one, which are
    /// those that are started after it. It may use this. @throws std::logic_error if another plugin does
    template <class S>
    void provide(std::shared_ptr<S> provider) {
        provideRaw(S::serviceName, std::static_pointer_cast<void>(std::move(provider)));
    }
    /// The implementation of S that another plugin offers, or null. It reads as if it had been started: what
    /// it gives is recorded nowhere.
    template <class S>
    [[nodiscard]] std::shared_ptr<S> find() const {
        return std::static_pointer_cast<S>(findRaw(S::serviceName));
    }

private:
    virtual void provideRaw(std::string_view service, std::shared_ptr<void> provider) = 0;
    [[nodiscard]] virtual std::shared_ptr<void> findRaw(std::string_view service) const = 0;
};

}  // namespace sallyport
