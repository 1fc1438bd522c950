// The files that one plugin serves.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <sallyport/ext/assets.h>

#include "host/entry/rules.h"
#include "host/http/asset_tree.h"
#include "host/trust/trust.h"

namespace sallyport::host::plugins {

/// Reads the files when the plugin asks for it, while it starts.
class AssetCollector final : public Assets {
public:
    /// @param directory where they are, if there are any.
    AssetCollector(std::string plugin, std::string directory,
                   std::shared_ptr<const entry::StartPhase> starting)
        : plugin_(std::move(plugin)), directory_(std::move(directory)), starting_(std::move(starting)) {}

    void serve() override {
        starting_->require("Assets::serve");
        if (std::find(taken.begin(), taken.end(), plugin_) != taken.end()) {
            throw std::runtime_error("a plugin of the name " + plugin_ + " can serve no files: /" + plugin_ +
                                     " is the daemon's");
        }
        tree_ = std::make_shared<const http::AssetTree>(plugin_, directory_, trust::Trust());
    }

    /// What is served, or null. [after the start]
    [[nodiscard]] const std::shared_ptr<const http::AssetTree>& tree() const noexcept { return tree_; }

private:
    static constexpr std::array<std::string_view, 3> taken{"api", "worker", "health"};

    const std::string plugin_;
    const std::string directory_;
    const std::shared_ptr<const entry::StartPhase> starting_;
    std::shared_ptr<const http::AssetTree> tree_;
};

}  // namespace sallyport::host::plugins
