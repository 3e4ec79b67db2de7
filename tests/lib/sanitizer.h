/* Is this built with a sanitizer, by gcc or clang?  Its memory is not ours, and
 * it is ten times slower. */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZER_IS_ON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZER_IS_ON 1
#endif
#endif
#ifndef SANITIZER_IS_ON
#define SANITIZER_IS_ON 0
#endif
