#include "resolver.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <dlfcn.h>
#include <netdb.h>

namespace sallyport::plugins::llm {

namespace {

constexpr std::chrono::seconds addressLifetime{60};

Addresses ask(const std::string& host, std::uint16_t port, int flags) {
    addrinfo hints{};
    hints.ai_flags = flags | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int result = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (result != 0) {
        return {{}, host + ": " + ::gai_strerror(result)};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
    Addresses addresses;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        SocketAddress& address = addresses.found.emplace_back();
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
    }
    return addresses;
}

/// Keeps this code in memory for good. Nothing happens where it is part of a program, which always stays.
void stayInMemory() {
    Dl_info library{};
    if (::dladdr(reinterpret_cast<const void*>(&stayInMemory), &library) != 0) {
        ::dlopen(library.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

}  // namespace

/// A thread, and how it and the resolver tell each other that they are done.
struct Resolver::Lookup {
    std::mutex mutex;
    Resolver* resolver = nullptr;  ///< guarded by mutex; null when it has gone
    bool over = false;             ///< guarded by mutex; the thread has nothing left to do but to end
    std::thread thread;            ///< the loop's
};

Resolver::Resolver(Post post) : post_(std::move(post)) {}

Resolver::~Resolver() {
    for (auto& [key, entry] : entries_) {
        if (!entry.lookup) {
            continue;
        }
        bool over = false;
        {
            const std::lock_guard lock(entry.lookup->mutex);
            entry.lookup->resolver = nullptr;
            over = entry.lookup->over;
        }
        if (over) {
            entry.lookup->thread.join();
        } else {
            stayInMemory();
            entry.lookup->thread.detach();
        }
    }
}

void Resolver::resolve(const std::string& host, std::uint16_t port, Done done) {
    if (const Addresses address = ask(host, port, AI_NUMERICHOST); address.problem.empty()) {
        done(address);
        return;
    }
    const std::string key = host + " " + std::to_string(port);
    Entry& entry = entries_[key];
    if (entry.lookup) {
        entry.waiting.push_back(std::move(done));
    } else if (entry.expires > std::chrono::steady_clock::now()) {
        done(entry.addresses);
    } else {
        entry.lookup = lookUp(key, host, port);
        entry.waiting.push_back(std::move(done));
    }
}

/// @throws std::system_error when there is no thread to be had.
std::shared_ptr<Resolver::Lookup> Resolver::lookUp(const std::string& key, const std::string& host,
                                                   std::uint16_t port) {
    auto lookup = std::make_shared<Lookup>();
    lookup->resolver = this;
    lookup->thread = std::thread([lookup, key, host, port] {
        Addresses addresses = ask(host, port, 0);
        const std::lock_guard lock(lookup->mutex);
        lookup->over = true;
        if (lookup->resolver == nullptr) {
            return;
        }
        lookup->resolver->post_([lookup, key, addresses = std::move(addresses)]() mutable {
            // The resolver goes on the thread that this runs on.
            if (Resolver* const resolver = lookup->resolver) {
                lookup->thread.join();
                resolver->found(key, std::move(addresses));
            }
        });
    });
    return lookup;
}

void Resolver::found(const std::string& key, Addresses addresses) {
    Entry& entry = entries_[key];
    entry.lookup = nullptr;
    entry.addresses = std::move(addresses);
    // A name that was not found may be there the next time.
    entry.expires =
        entry.addresses.problem.empty() ? std::chrono::steady_clock::now() + addressLifetime : Time();
    const std::vector<Done> waiting = std::exchange(entry.waiting, {});
    const Addresses answer = entry.addresses;
    for (const Done& done : waiting) {
        done(answer);
    }
}

}  // namespace sallyport::plugins::llm
