// Broken promises: facts that only a defect in Toll can make false. They stay on in release builds;
// a false one prints the fact and its place and stops the process, which is safe because everything
// acknowledged is durable and every write can be repeated.
#pragma once

#define assert_that(fact) ((fact) ? (void)0 : assert_failed(#fact, __FILE__, __LINE__))

// Costly checks: on in tests and sanitizer builds (-DTOLL_SLOW_CHECKS), absent elsewhere.
#ifdef TOLL_SLOW_CHECKS
#define assert_slow(fact) assert_that(fact)
#else
#define assert_slow(fact) ((void)0)
#endif

_Noreturn void assert_failed(const char *fact, const char *file, int line);
