/* Memory: long runs of loads and stores, and loads of which each gives the next one's address. */
#include "bench.h"
#include <stdlib.h>

/* Copy, scale, add and triad over three arrays of 8 MiB. */
uint64_t stream(uint64_t scale)
{
	const size_t count = 1 << 20;
	uint64_t *a = malloc(count * 8), *b = malloc(count * 8), *c = malloc(count * 8);
	for (size_t i = 0; i < count; i++)
		a[i] = i, b[i] = 2 * i, c[i] = 0;
	for (uint64_t n = 0; n < scale * 16; n++) {
		for (size_t i = 0; i < count; i++)
			c[i] = a[i];
		for (size_t i = 0; i < count; i++)
			b[i] = 3 * c[i];
		for (size_t i = 0; i < count; i++)
			c[i] = a[i] + b[i];
		for (size_t i = 0; i < count; i++)
			a[i] = b[i] + 3 * c[i];
		__asm__ volatile("" ::: "memory");
	}
	uint64_t hash = 0;
	for (size_t i = 0; i < count; i += 4099)
		hash = mix(hash, a[i]);
	free(a), free(b), free(c);
	return hash;
}

/* One cycle through 64 MiB, a cache line a step, in an order that no prefetcher guesses. */
uint64_t chase(uint64_t scale)
{
	const uint32_t lines = 1 << 20;
	uint32_t(*memory)[16] = malloc((size_t)lines * 64);
	uint64_t seed = 11;
	for (uint32_t i = 0; i < lines; i++)
		memory[i][0] = i;
	for (uint32_t i = lines - 1; i > 0; i--) { /* Sattolo: a permutation that is one cycle */
		uint32_t j = (uint32_t)(next_random(&seed) >> 32) % i, t = memory[i][0];
		memory[i][0] = memory[j][0];
		memory[j][0] = t;
	}
	uint32_t at = 0;
	uint64_t sum = 0;
	for (uint64_t n = 0; n < scale * 1500000; n++) {
		at = memory[at][0];
		sum += at;
	}
	free(memory);
	return sum << 20 | at;
}
