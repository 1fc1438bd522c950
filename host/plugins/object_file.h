// A shared object, read as a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include <elf.h>

namespace sallyport::host::plugins {

/// What is in a shared object for this machine, as it would be in memory, without loading it: none of its
/// code runs. Whatever the bytes are, nothing beyond them is read.
class ObjectFile {
public:
    /// Where something is in memory, from where the object begins.
    using Address = std::uint64_t;

    /// @param bytes the whole file. They outlive this.
    /// @throws Refused if it is no shared object for this machine, or not all of it is there. That matters
    ///         before it is loaded, too: the dynamic loader trusts a file's own tables, and one that was cut
    ///         off would end the daemon with SIGBUS.
    explicit ObjectFile(std::string_view bytes);

    /// Where what it exports under that name is.
    [[nodiscard]] std::optional<Address> symbol(std::string_view name) const;

    /// Nothing when that is not in the file, as what is zero at first is not.
    template <class T>
    [[nodiscard]] std::optional<T> read(Address address) const {
        static_assert(std::is_trivially_copyable_v<T>);
        const auto found = inMemory(address, sizeof(T));
        if (found.size() < sizeof(T)) {
            return std::nullopt;
        }
        T value;
        std::memcpy(&value, found.data(), sizeof value);
        return value;
    }

    /// The pointer there, as the loader will set it: 0 for null. Nothing when that only running code can
    /// tell, or it points outside of the object.
    [[nodiscard]] std::optional<Address> pointer(Address at) const;

    /// The text that begins there, up to its NUL.
    [[nodiscard]] std::optional<std::string_view> text(Address address) const;

private:
    template <class T>
    [[nodiscard]] std::optional<T> inFile(std::uint64_t offset) const;
    [[nodiscard]] bool within(std::uint64_t offset, std::uint64_t length) const;
    [[nodiscard]] bool whole() const;
    [[nodiscard]] std::optional<Elf64_Shdr> section(std::uint64_t index) const;
    /// From `address` on, at least `least` bytes or none.
    [[nodiscard]] std::string_view inMemory(Address address, std::size_t least) const;
    [[nodiscard]] std::optional<Elf64_Sym> symbolAt(const Elf64_Shdr& table, std::uint64_t index) const;
    [[nodiscard]] std::string_view nameOf(const Elf64_Shdr& symbols, const Elf64_Sym& symbol) const;
    void readRelocations();

    std::string_view bytes_;
    Elf64_Ehdr header_{};
    /// What the loader puts where; nothing for what other objects define.
    std::unordered_map<Address, std::optional<Address>> relocations_;
};

}  // namespace sallyport::host::plugins
