// The loop that the host for tests has.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <sallyport/ext/io.h>

#include "host/http/gate.h"
#include "host/plugins/plugin_loop.h"
#include "host/testing/io_thread.h"

namespace sallyport::testing {

/// A loop on a thread of its own, once it is asked for.
class OneLoop final : public IoLoops {
public:
    /// Has the loop be that of another plugin's object.
    void begin(std::shared_ptr<host::http::Gate> gate) { gate_ = std::move(gate); }

    [[nodiscard]] std::vector<std::shared_ptr<IoLoop>> loops() override {
        if (!thread_) {
            thread_ = std::make_unique<IoThread>();
        }
        if (!loop_) {
            loop_ = std::make_shared<host::plugins::PluginLoop>(*thread_, nullptr, gate_);
        }
        return {loop_};
    }
    void end() {
        if (loop_) {
            loop_->end();
            loop_ = nullptr;
        }
    }

private:
    std::shared_ptr<host::http::Gate> gate_;
    std::unique_ptr<IoThread> thread_;
    std::shared_ptr<host::plugins::PluginLoop> loop_;
};

}  // namespace sallyport::testing
