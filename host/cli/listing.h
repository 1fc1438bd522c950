// Lists that come in pages.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "host/cli/client_names.h"

namespace sallyport::host::cli {

/// How much of a list is wanted.
struct ListingLimit {
    std::size_t limit = 50;
    bool all = false;  ///< then `limit` means nothing
};

/// The pages of a list, and whether the last of them was the last there is.
struct Listing {
    std::string member;  ///< of the answer, in which the elements are
    std::vector<Answer> pages;
    std::vector<json::Value> elements;
    std::string nextCursor;
};

/// Reads pages from `target` until there are enough elements or no more. @throws Unreachable, Refused
[[nodiscard]] Listing readListing(const Client& client, const Target& target, std::string member,
                                  const ListingLimit& wanted);

/// One page as the daemon wrote it; several as one document of the same form, with what the first says
/// besides the elements.
[[nodiscard]] std::string jsonOf(const Listing& listing);

}  // namespace sallyport::host::cli
