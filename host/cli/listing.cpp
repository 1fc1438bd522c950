#include "host/cli/listing.h"

#include <algorithm>
#include <utility>

namespace sallyport::host::cli {

namespace {

constexpr std::size_t greatestPage = 200;  ///< what the daemon gives at once

}  // namespace

Listing readListing(const Client& client, const Target& target, std::string member,
                    const ListingLimit& wanted) {
    Listing listing;
    listing.member = std::move(member);
    do {
        const std::size_t missing = wanted.all ? greatestPage : wanted.limit - listing.elements.size();
        Target page = target;
        page.query("limit", std::to_string(std::min(missing, greatestPage)));
        if (!listing.nextCursor.empty()) {
            page.query("cursor", listing.nextCursor);
        }
        const Answer& answer = listing.pages.emplace_back(client.get(page));
        for (const json::Value& element : elementsOf(answer.object(), listing.member)) {
            listing.elements.push_back(element);
        }
        listing.nextCursor = textOf(answer.object(), "next_cursor");
    } while (!listing.nextCursor.empty() && (wanted.all || listing.elements.size() < wanted.limit));
    return listing;
}

std::string jsonOf(const Listing& listing) {
    if (listing.pages.size() == 1) {
        return listing.pages.front().text();
    }
    std::string text = "{";
    for (const json::Object::Member& member : listing.pages.front().object().members()) {
        if (member.name != listing.member && member.name != "next_cursor") {
            text += json::quote(member.name) + ':' + std::string(member.value.raw()) + ',';
        }
    }
    text += json::quote(listing.member) + ":[";
    for (const json::Value& element : listing.elements) {
        text += text.back() == '[' ? "" : ",";
        text += element.raw();
    }
    text += "]";
    if (!listing.nextCursor.empty()) {
        text += R"(,"next_cursor":)" + json::quote(listing.nextCursor);
    }
    return text + "}";
}

}  // namespace sallyport::host::cli
