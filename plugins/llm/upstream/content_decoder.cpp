#include "content_decoder.h"

#include <algorithm>
#include <array>
#include <new>

#include <zlib.h>

#include <Poco/String.h>

#include <sallyport/ascii.h>

namespace sallyport::plugins::llm {

namespace {

/// Has zlib find out by itself whether it is gzip (RFC 1952) or zlib's format (RFC 1950), which HTTP's
/// deflate is.
constexpr int anyWrapper = MAX_WBITS + 32;

constexpr std::size_t pieceSize = std::size_t{32} * 1024;

std::string normalized(std::string_view coding) {
    return ascii::lowered(Poco::trim(std::string(coding)));
}

}  // namespace

struct ContentDecoder::Stream {
    Stream() {
        if (::inflateInit2(&state, anyWrapper) != Z_OK) {
            throw std::bad_alloc();
        }
    }
    ~Stream() { ::inflateEnd(&state); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    z_stream state{};
    std::array<char, pieceSize> output{};
};

ContentDecoder::ContentDecoder() : stream_(std::make_unique<Stream>()) {}

ContentDecoder::~ContentDecoder() = default;

std::unique_ptr<ContentDecoder> ContentDecoder::of(std::string_view coding) {
    const std::string name = normalized(coding);
    const bool known = name == "gzip" || name == "x-gzip" || name == "deflate";
    return std::unique_ptr<ContentDecoder>(known ? new ContentDecoder : nullptr);
}

bool ContentDecoder::isIdentity(std::string_view coding) {
    const std::string name = normalized(coding);
    return name.empty() || name == "identity";
}

void ContentDecoder::add(std::string_view piece) {
    begun_ = begun_ || !piece.empty();
    input_.append(piece);
}

bool ContentDecoder::decode(const std::function<void(std::string_view)>& handOn,
                            const std::function<bool()>& wantsMore) {
    std::size_t taken = 0;
    bool sound = true;
    while (sound && wantsMore() && (taken < input_.size() || pending_)) {
        z_stream& state = stream_->state;
        if (atEnd_) {
            // Several members one after another are as good as one (RFC 1952 section 2.2).
            sound = ::inflateReset(&state) == Z_OK;
            atEnd_ = false;
        }
        const auto offered = static_cast<uInt>(std::min<std::size_t>(input_.size() - taken, 1U << 30U));
        state.next_in = reinterpret_cast<Bytef*>(input_.data() + taken);
        state.avail_in = offered;
        state.next_out = reinterpret_cast<Bytef*>(stream_->output.data());
        state.avail_out = pieceSize;
        const int result = ::inflate(&state, Z_NO_FLUSH);
        taken += offered - state.avail_in;
        pending_ = state.avail_out == 0 && result != Z_STREAM_END;
        atEnd_ = result == Z_STREAM_END;
        sound = sound && (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
        if (const std::size_t size = pieceSize - state.avail_out; size > 0) {
            handOn({stream_->output.data(), size});
        }
    }
    input_.erase(0, taken);
    return sound;
}

}  // namespace sallyport::plugins::llm
