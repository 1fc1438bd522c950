#include "host/entry/loaded_code.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <string>

#include <dlfcn.h>
#include <link.h>

namespace sallyport::host::entry {

namespace {

constexpr std::size_t longestText = 80;
constexpr std::size_t mostPlugins = 256;

using Text = std::array<char, longestText>;

struct Slot {
    Text plugin{};
    Text version{};
    std::atomic<std::uintptr_t> begin{0};  ///< 0: free. Written last, so that whoever sees it sees the rest
    std::atomic<std::uintptr_t> end{0};
};

std::mutex slotsMutex;  // NOLINT(cert-err58-cpp): its constructor is constexpr
std::array<Slot, mostPlugins> slots;

struct Range {
    std::uintptr_t base;  ///< where the object was put
    std::uintptr_t begin = UINTPTR_MAX;
    std::uintptr_t end = 0;
};

/// For dl_iterate_phdr(3).
int addSegments(dl_phdr_info* object, std::size_t /*size*/, void* argument) {
    auto& range = *static_cast<Range*>(argument);
    if (object->dlpi_addr != range.base) {
        return 0;
    }
    for (const auto* header = object->dlpi_phdr; header != object->dlpi_phdr + object->dlpi_phnum; ++header) {
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0) {
            continue;
        }
        range.begin = std::min<std::uintptr_t>(range.begin, range.base + header->p_vaddr);
        range.end = std::max<std::uintptr_t>(range.end, range.base + header->p_vaddr + header->p_memsz);
    }
    return 1;
}

void copy(const std::string& text, Text& target) {
    const auto size = std::min(text.size(), target.size() - 1);
    std::copy_n(text.data(), size, target.data());
    target.at(size) = '\0';
}

}  // namespace

LoadedCode::LoadedCode(const Plugin& plugin, void* handle) {
    link_map* map = nullptr;
    if (::dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0) {
        return;
    }
    Range range{map->l_addr};
    ::dl_iterate_phdr(addSegments, &range);
    if (range.end == 0) {
        return;
    }
    const std::lock_guard lock(slotsMutex);
    const auto* const free =
        std::find_if(slots.begin(), slots.end(), [](const Slot& slot) { return slot.begin == 0; });
    if (free == slots.end()) {
        return;
    }
    slot_ = static_cast<std::size_t>(free - slots.begin());
    auto& slot = slots.at(*slot_);
    copy(plugin.name, slot.plugin);
    copy(plugin.version, slot.version);
    slot.end = range.end;
    slot.begin = range.begin;
}

LoadedCode::~LoadedCode() {
    if (!slot_) {
        return;
    }
    const std::lock_guard lock(slotsMutex);
    slots.at(*slot_).begin = 0;
}

std::optional<LoadedCode::Owner> LoadedCode::at(std::uintptr_t address) noexcept {
    for (const auto& slot : slots) {
        const auto begin = slot.begin.load();
        if (begin != 0 && address >= begin && address < slot.end) {
            return Owner{slot.plugin.data(), slot.version.data()};
        }
    }
    return std::nullopt;
}

}  // namespace sallyport::host::entry
