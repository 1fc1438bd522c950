// What a client is given of an answer that is streamed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <sallyport/reply.h>

namespace sallyport::plugins::llm {

/// Owns the stream to the client, and until the connection has brought one, the bytes that are for it. Tells
/// when the upstream has to wait for the client's network. A stream that is let go of before its end is cut.
/// [with the call's lock]
class ClientStream {
public:
    /// The upstream waits while the client's network has more than this to take.
    static constexpr std::size_t greatestBacklog = std::size_t{256} * 1024;

    /// Whether something was written: what the client has seen cannot be taken back.
    [[nodiscard]] bool isOpened() const noexcept;
    /// Hands bytes on, now or when there is a stream. @return whether they are the first
    [[nodiscard]] bool write(std::string_view bytes);
    /// The last byte has been written.
    void end();

    /// Whether the call has ended, and the body has not: a stream that comes now is of no use.
    [[nodiscard]] bool isCut() const noexcept { return std::holds_alternative<Cut>(state_); }
    /// What the stream that has come is to be given first.
    [[nodiscard]] std::string takeUnsent();
    /// The stream has been given that. It is ended if the body has. @return whether more is to be written
    [[nodiscard]] bool attach(const std::shared_ptr<Stream>& stream);
    /// Null unless there is one.
    [[nodiscard]] std::shared_ptr<Stream> stream() const;

    /// Pauses if the network has too much to take. @return whether it did not before
    [[nodiscard]] bool pauseIfBehind();
    [[nodiscard]] bool isPaused() const noexcept;
    /// @return whether it was paused
    bool resume();

    /// The call has ended. @return the stream, if there is one, to go without the lock
    [[nodiscard]] std::shared_ptr<Stream> release();

private:
    struct Unopened {};
    struct Opened {  ///< no stream has come yet
        std::string unsent{};
        bool paused = false;
    };
    struct Attached {
        std::shared_ptr<Stream> stream;
        bool paused = false;
    };
    struct Ended {                         ///< the body has
        std::string unsent{};              ///< if no stream has come yet
        std::shared_ptr<Stream> stream{};  ///< if one has
    };
    struct Cut {};  ///< it has not, and the call has ended

    [[nodiscard]] std::size_t backlog() const;

    std::variant<Unopened, Opened, Attached, Ended, Cut> state_;
};

}  // namespace sallyport::plugins::llm
