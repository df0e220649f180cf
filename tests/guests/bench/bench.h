/* What the programs share: the table's row, a random generator and a hash. All counts grow with `scale`. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Runs a program `scale` times its base count and returns a checksum that no machine may disagree on. */
typedef uint64_t program(uint64_t scale);

program integer, dhry, sha256, aes, sorting, fib, interp, strings, lz; /* integer group */
program matmul, nbody, fpmix;                                          /* scalar floating point */
program simdfloat, simdint;                                            /* vectors */
program stream, chase;                                                 /* memory */
program syscalls, forkexec, pingpong, pgfault;                         /* the kernel's part */
program jit, smc;                                                      /* code that appears and changes */
program threads, console;
program avxfloat, avxint;           /* PC only: vectors of 256 bits */
program x87poly, x87mandel, x87mix; /* PC only: 80-bit floating point */
program repmovs, repstos, repscan;  /* PC only: repeated string instructions */

/* xorshift64*: the same numbers everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* One step of FNV-1a over a whole word. */
static inline uint64_t mix(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * 0x100000001b3ull;
}

/* The bits of a double. */
static inline uint64_t bits(double value)
{
	union {
		double d;
		uint64_t u;
	} both = {value};
	return both.u;
}

#endif
