#include "host/plugins/object_file.h"

#include <bit>

#include "host/plugins/refused.h"

namespace sallyport::host::plugins {

namespace {

#if defined(__x86_64__)
constexpr Elf64_Half machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half machine = EM_AARCH64;
#elif defined(__riscv)
constexpr Elf64_Half machine = EM_RISCV;
#elif defined(__powerpc64__)
constexpr Elf64_Half machine = EM_PPC64;
#elif defined(__s390x__)
constexpr Elf64_Half machine = EM_S390;
#else
#error "name this machine as ELF does"
#endif

constexpr unsigned char byteOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

}  // namespace

ObjectFile::ObjectFile(std::string_view bytes) : bytes_(bytes) {
    const auto header = inFile<Elf64_Ehdr>(0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_type != ET_DYN) {
        throw Refused("it is no shared object");
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != byteOrder ||
        header->e_machine != machine) {
        throw Refused("it was built for another kind of machine");
    }
    header_ = *header;
    if (!whole()) {
        throw Refused("it is cut off; put it in place by renaming, when it is complete");
    }
    readRelocations();
}

template <class T>
std::optional<T> ObjectFile::inFile(std::uint64_t offset) const {
    if (!within(offset, sizeof(T))) {
        return std::nullopt;
    }
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
}

bool ObjectFile::within(std::uint64_t offset, std::uint64_t length) const {
    return offset <= bytes_.size() && length <= bytes_.size() - offset;
}

/// The section table is the last that a linker writes, and copying goes from front to back: if it is there,
/// and is no hole that is yet to be filled, so is the rest.
bool ObjectFile::whole() const {
    if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_shentsize != sizeof(Elf64_Shdr) ||
        header_.e_shnum == 0) {
        return false;
    }
    for (std::uint64_t i = 0; i < header_.e_phnum; ++i) {
        const auto segment = inFile<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment || !within(segment->p_offset, segment->p_filesz)) {
            return false;
        }
    }
    for (std::uint64_t i = 0; i < header_.e_shnum; ++i) {
        const auto found = section(i);
        if (!found || (found->sh_type != SHT_NOBITS && !within(found->sh_offset, found->sh_size))) {
            return false;
        }
    }
    const auto names = section(header_.e_shstrndx);
    return names && names->sh_type == SHT_STRTAB;
}

std::optional<Elf64_Shdr> ObjectFile::section(std::uint64_t index) const {
    if (index >= header_.e_shnum) {
        return std::nullopt;
    }
    return inFile<Elf64_Shdr>(header_.e_shoff + index * sizeof(Elf64_Shdr));
}

std::string_view ObjectFile::inMemory(Address address, std::size_t least) const {
    for (std::uint64_t i = 0; i < header_.e_phnum; ++i) {
        const auto segment = inFile<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment || segment->p_type != PT_LOAD || address < segment->p_vaddr) {
            continue;
        }
        const auto offset = address - segment->p_vaddr;
        if (offset < segment->p_filesz && least <= segment->p_filesz - offset) {
            return bytes_.substr(segment->p_offset + offset, segment->p_filesz - offset);
        }
    }
    return {};
}

std::optional<Elf64_Sym> ObjectFile::symbolAt(const Elf64_Shdr& table, std::uint64_t index) const {
    if (index >= table.sh_size / sizeof(Elf64_Sym)) {
        return std::nullopt;
    }
    return inFile<Elf64_Sym>(table.sh_offset + index * sizeof(Elf64_Sym));
}

std::string_view ObjectFile::nameOf(const Elf64_Shdr& symbols, const Elf64_Sym& symbol) const {
    const auto names = section(symbols.sh_link);
    if (!names || names->sh_type != SHT_STRTAB || symbol.st_name >= names->sh_size) {
        return {};
    }
    const auto text = bytes_.substr(names->sh_offset, names->sh_size).substr(symbol.st_name);
    return text.substr(0, text.find('\0'));
}

std::optional<ObjectFile::Address> ObjectFile::symbol(std::string_view name) const {
    for (std::uint64_t i = 0; i < header_.e_shnum; ++i) {
        const auto table = section(i);
        if (!table || table->sh_type != SHT_DYNSYM) {
            continue;
        }
        for (std::uint64_t j = 0; const auto entry = symbolAt(*table, j); ++j) {
            if (entry->st_shndx != SHN_UNDEF && nameOf(*table, *entry) == name) {
                return entry->st_value;
            }
        }
    }
    return std::nullopt;
}

void ObjectFile::readRelocations() {
    for (std::uint64_t i = 0; i < header_.e_shnum; ++i) {
        const auto table = section(i);
        if (!table || table->sh_type != SHT_RELA || (table->sh_flags & SHF_ALLOC) == 0) {
            continue;
        }
        const auto symbols = section(table->sh_link);
        for (std::uint64_t j = 0; j < table->sh_size / sizeof(Elf64_Rela); ++j) {
            const auto entry = inFile<Elf64_Rela>(table->sh_offset + j * sizeof(Elf64_Rela));
            if (!entry) {
                break;
            }
            std::optional<Address> base = 0;
            if (const auto index = ELF64_R_SYM(entry->r_info); index != 0) {
                const auto target = symbols ? symbolAt(*symbols, index) : std::nullopt;
                base =
                    target && target->st_shndx != SHN_UNDEF ? std::optional(target->st_value) : std::nullopt;
            }
            relocations_[entry->r_offset] =
                base ? std::optional(*base + static_cast<Address>(entry->r_addend)) : std::nullopt;
        }
    }
}

std::optional<ObjectFile::Address> ObjectFile::pointer(Address at) const {
    if (const auto found = relocations_.find(at); found != relocations_.end()) {
        return found->second;
    }
    // Null, or one of the packed relocations (SHT_RELR), whose target stands in its place.
    return read<Address>(at);
}

std::optional<std::string_view> ObjectFile::text(Address address) const {
    const auto rest = inMemory(address, 1);
    const auto end = rest.find('\0');
    if (rest.empty() || end == std::string_view::npos) {
        return std::nullopt;
    }
    return rest.substr(0, end);
}

}  // namespace sallyport::host::plugins
