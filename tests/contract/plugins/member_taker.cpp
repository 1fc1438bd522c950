// A plugin that declares a member of new jobs: MEMBER.
#include <memory>

#include <sallyport/ext/job_lifecycle.h>
#include <sallyport/plugin.h>

namespace {

using namespace sallyport;

class Nothing final : public JobParticipant {
public:
    [[nodiscard]] std::unique_ptr<JobPart> prepare(const JobDraft& /*draft*/) override { return nullptr; }
};

class MemberTaker final : public Plugin {
public:
    void start(Host& host) override {
        host.require<JobLifecycle>().participate({MEMBER}, std::make_shared<Nothing>());
    }
};

}  // namespace

SALLYPORT_PLUGIN(MemberTaker, "takes_" MEMBER, "1", "Takes a member of new jobs")
