// What the headers for plugins say in brackets about when and where something may be called, checked. Whoever
// breaks a rule gets a std::logic_error whose sentence says what to do. [disk: see waiting.h]
#pragma once

namespace sallyport::host::entry {

/// `[the loop's thread]`. @param function as its caller knows it, such as `IoLoop::watch`.
/// @throws std::logic_error unless it is called there.
void requireLoop(bool isCurrent, const char* function);

/// The sentence about that, where nothing can be thrown.
[[nodiscard]] const char* offItsLoop() noexcept;

}  // namespace sallyport::host::entry
