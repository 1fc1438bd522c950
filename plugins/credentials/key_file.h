// Where the master key is kept.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

#include <sallyport/new_file.h>

#include "cipher.h"

namespace sallyport::plugins {

/// The master key cannot be used. what() is a sentence for the operator that says what to do; it names
/// files and so never goes into an answer.
class KeyProblem : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A file with the master key, and beside it, while the key is being changed, the next one (`.new`). Both
/// belong to the daemon's user and are closed to all others. A line end after the key is no part of it.
class KeyFile {
public:
    explicit KeyFile(std::string path) : path_(std::move(path)), nextPath_(path_ + NewFile::fixedMark) {}

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::string& nextPath() const noexcept { return nextPath_; }

    /// The key; nothing when there is no such file. @throws KeyProblem
    [[nodiscard]] std::optional<MasterKey> read() const;

    /// The next key; nothing when there is none, or one that is not whole because its writing was cut short.
    [[nodiscard]] std::optional<MasterKey> readNext() const;

    /// Writes the next key, and returns when that is durable. @throws KeyProblem
    void writeNext(const MasterKey& key) const;
    /// Makes the next key the present one. @throws KeyProblem
    void promoteNext() const;
    /// Removes the next key, if there is one. It must be of no use to anybody.
    void removeNext() const;

private:
    std::string path_;
    std::string nextPath_;
};

/// The key that systemd was told to hand over (`LoadCredential=sallyport-master-key`); nothing if it was not.
/// @throws KeyProblem
[[nodiscard]] std::optional<MasterKey> systemdKey();

/// What the environment variable SALLYPORT_MASTER_KEY holds, which is wiped and removed; nothing when it is
/// not set or empty.
[[nodiscard]] std::optional<SecretText> takeEnvironmentKey();

/// @throws KeyProblem when that is too short.
[[nodiscard]] MasterKey environmentKey(const SecretText& text);

/// The key in a text that was handed over. A line end after it is no part of it.
/// @param place where it was, for the sentence. @throws KeyProblem when it is too short or too long.
[[nodiscard]] MasterKey handedOverKey(const SecretText& text, const std::string& place);

/// How systemd and the environment name it.
inline constexpr const char* credentialName = "sallyport-master-key";
inline constexpr const char* variableName = "SALLYPORT_MASTER_KEY";

}  // namespace sallyport::plugins
