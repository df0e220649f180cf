/* Recursion: calls, returns and hardly anything else. */
#include "bench.h"

static __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls"))) uint64_t slow(uint64_t n)
{
	return n < 2 ? n : slow(n - 1) + slow(n - 2);
}

uint64_t fib(uint64_t scale)
{
	uint64_t sum = 0;
	volatile uint64_t n = 30;
	for (uint64_t i = 0; i < scale * 8; i++)
		sum += slow(n);
	return sum;
}
