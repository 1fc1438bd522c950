// Pass-through of the providers' own APIs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sallyport/call.h>

#include "models.h"
#include "native.h"
#include "translation.h"

namespace sallyport::plugins::llm {

/// Headers of the client that a provider may see, by their lower-case names.
using ForwardedHeaders = std::vector<std::string>;

/// The header lines of the call that are forwarded. A value that is long, or has characters that such headers
/// never have, is left out.
[[nodiscard]] std::vector<std::string> forwarded(const Call& call, const ForwardedHeaders& names);

/// An error in the shape of a provider's API.
[[nodiscard]] Reply nativeRefusal(ProviderType type, const RequestError& error);

/// A request with a body, such as `chat/completions`. It goes through byte for byte but for what policy
/// changes.
class NativeTranslation final : public Translation {
public:
    /// @param call must outlive this, as must `names`. @throws RequestError 400 or 422
    NativeTranslation(const Call& call, const json::Limits& limits, NativeEndpoint endpoint,
                      const ForwardedHeaders& names);

    [[nodiscard]] const std::string& endpoint() const override { return name_; }
    [[nodiscard]] const std::optional<std::string>& model() const override { return request_.model; }
    [[nodiscard]] bool fits(ProviderType type) const override;
    [[nodiscard]] bool streams() const override { return request_.stream; }
    [[nodiscard]] UpstreamRequest request(const Provider& provider, const std::string& model,
                                          std::vector<std::string> dropped) const override;
    [[nodiscard]] std::unique_ptr<AnswerReader> reader(const Provider& provider,
                                                       const SecretMask& mask) const override;
    [[nodiscard]] EchoAnswer echo(Echo& echo, const JobId& job, const std::string& id) const override;
    [[nodiscard]] std::string brokenEvent(const RequestError& error) const override;
    [[nodiscard]] bool relaysRefusals() const override { return true; }

private:
    [[nodiscard]] bool addsUsage() const;

    const Call& call_;
    const ForwardedHeaders& names_;
    const NativeRequest request_;
    const std::string name_;
};

/// A question for the models there are, or for one of them. Only those that jobs may use are told.
class ModelsTranslation final : public Translation {
public:
    /// @param asked the one model; nothing for all. @throws RequestError 404 for what is no model's name
    ModelsTranslation(const Call& call, ProviderType type, std::optional<std::string> asked,
                      const Models& models, const ForwardedHeaders& names);

    [[nodiscard]] const std::string& endpoint() const override { return name_; }
    [[nodiscard]] const std::optional<std::string>& model() const override { return asked_; }
    [[nodiscard]] bool needsModel() const override { return false; }
    [[nodiscard]] bool fits(ProviderType type) const override;
    [[nodiscard]] bool streams() const override { return false; }
    [[nodiscard]] UpstreamRequest request(const Provider& provider, const std::string& model,
                                          std::vector<std::string> dropped) const override;
    [[nodiscard]] std::unique_ptr<AnswerReader> reader(const Provider& provider,
                                                       const SecretMask& mask) const override;
    [[nodiscard]] EchoAnswer echo(Echo& echo, const JobId& job, const std::string& id) const override;
    [[nodiscard]] std::string brokenEvent(const RequestError& error) const override;
    [[nodiscard]] bool relaysRefusals() const override { return true; }

private:
    const Call& call_;
    const ProviderType type_;
    const std::optional<std::string> asked_;
    const Models& models_;
    const ForwardedHeaders& names_;
    const std::string name_;
};

}  // namespace sallyport::plugins::llm
