#include "host/plugins/declaration.h"

#include <cstddef>
#include <string_view>

#include <sallyport/plugin.h>
#include <sallyport/plugin_name.h>

namespace sallyport::host::plugins {

namespace {

using Address = ObjectFile::Address;

constexpr std::size_t mostSettings = 4096;
constexpr const char* notPlain =
    "its descriptor cannot be read without running it; make what it consists of constant";

Address descriptorIn(const ObjectFile& object) {
    const auto found = object.symbol(pluginSymbol);
    if (!found) {
        throw Refused(std::string("it exports no ") + pluginSymbol + ": not a Sallyport plugin");
    }
    return *found;
}

template <class T>
T plain(const std::optional<T>& value) {
    if (!value) {
        throw Refused(notPlain);
    }
    return *value;
}

Address pointer(const ObjectFile& object, Address at) {
    const auto address = plain(object.pointer(at));
    if (address == 0) {
        throw Refused("its descriptor is incomplete");
    }
    return address;
}

std::string_view text(const ObjectFile& object, Address at) {
    return plain(object.text(pointer(object, at)));
}

/// The rest of a descriptor can be read only if this fits.
void requireAbi(const ObjectFile& object, Address descriptor) {
    const auto abi = plain(object.read<std::uint32_t>(descriptor + offsetof(PluginDescriptor, abi)));
    if (abi != abiNumber) {
        throw Refused("it was built for plugin ABI " + std::to_string(abi) + ", and this is ABI " +
                      std::to_string(abiNumber) + "; rebuild it");
    }
    if (text(object, descriptor + offsetof(PluginDescriptor, toolchain)) != SALLYPORT_TOOLCHAIN) {
        throw Refused(std::string("it was built with another C++ library ABI; rebuild it with ") +
                      SALLYPORT_TOOLCHAIN);
    }
}

/// As far as a setting went when this ABI began.
constexpr std::size_t leastSetting = offsetof(Setting, high) + sizeof(Setting::high);
constexpr std::size_t mostSetting = 4096;

Setting settingAt(const ObjectFile& object, Address at) {
    const auto kind = plain(object.read<SettingKind>(at + offsetof(Setting, kind)));
    if (kind < SettingKind::text || kind > SettingKind::list) {
        throw Refused("a key that it declares is of no known kind");
    }
    return {text(object, at + offsetof(Setting, key)).data(),
            kind,
            text(object, at + offsetof(Setting, defaultValue)).data(),
            text(object, at + offsetof(Setting, help)).data(),
            plain(object.read<std::int64_t>(at + offsetof(Setting, low))),
            plain(object.read<std::int64_t>(at + offsetof(Setting, high)))};
}

}  // namespace

Declaration declarationIn(const ObjectFile& object) {
    const auto descriptor = descriptorIn(object);
    requireAbi(object, descriptor);
    Declaration declaration;
    declaration.name = text(object, descriptor + offsetof(PluginDescriptor, name));
    if (!isPluginName(declaration.name)) {
        throw Refused("its name is not [a-z][a-z0-9_]*, at most 64 characters");
    }
    declaration.version = text(object, descriptor + offsetof(PluginDescriptor, version));
    declaration.summary = text(object, descriptor + offsetof(PluginDescriptor, summary));
    pointer(object, descriptor + offsetof(PluginDescriptor, create));
    pointer(object, descriptor + offsetof(PluginDescriptor, destroy));
    const auto count = plain(object.read<std::size_t>(descriptor + offsetof(PluginDescriptor, settingCount)));
    if (count > mostSettings) {
        throw Refused("it declares more than " + std::to_string(mostSettings) + " keys");
    }
    const auto size = plain(object.read<std::size_t>(descriptor + offsetof(PluginDescriptor, settingSize)));
    if (size < leastSetting || size > mostSetting) {
        throw Refused("its descriptor is incomplete");
    }
    if (count != 0) {
        pointer(object, descriptor + offsetof(PluginDescriptor, settings));
    }
    return declaration;
}

std::vector<Setting> settingsIn(const ObjectFile& object) {
    static_cast<void>(declarationIn(object));
    const auto descriptor = descriptorIn(object);
    const auto count = plain(object.read<std::size_t>(descriptor + offsetof(PluginDescriptor, settingCount)));
    std::vector<Setting> settings;
    if (count == 0) {
        return settings;
    }
    const auto first = pointer(object, descriptor + offsetof(PluginDescriptor, settings));
    const auto size = plain(object.read<std::size_t>(descriptor + offsetof(PluginDescriptor, settingSize)));
    for (std::size_t i = 0; i < count; ++i) {
        settings.push_back(settingAt(object, first + i * size));
    }
    return settings;
}

}  // namespace sallyport::host::plugins
