// Visibility of what crosses the boundary between the host and a plugin.
#pragma once

/// Marks a type or function whose type information must be the same object on both sides of the
/// plugin boundary (exceptions above all). Everything else is built with hidden visibility.
#define SALLYPORT_API __attribute__((visibility("default")))
