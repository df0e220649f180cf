/* Memory copied, filled and searched by repeated string instructions. */
#include "../bench.h"
#include <stdlib.h>

enum { SIZE = 1 << 18 };

static void copy_bytes(void *to, const void *from, size_t bytes)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void copy_words(void *to, const void *from, size_t bytes)
{
	bytes /= 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void fill_bytes(void *to, uint8_t byte, size_t bytes)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(byte) : "memory");
}

static void fill_words(void *to, uint64_t word, size_t bytes)
{
	bytes /= 8;
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(bytes) : "a"(word) : "memory");
}

static size_t find_byte(const void *at, uint8_t byte, size_t bytes)
{
	const void *start = at;
	__asm__ volatile("repne scasb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory", "cc");
	return (size_t)((const char *)at - (const char *)start);
}

static size_t same_bytes(const void *a, const void *b, size_t bytes)
{
	const void *start = a;
	__asm__ volatile("repe cmpsb" : "+S"(a), "+D"(b), "+c"(bytes) : : "memory", "cc");
	return (size_t)((const char *)a - (const char *)start);
}

/* Sizes as programs have them: from some bytes to some pages, anywhere. */
static size_t size_of(uint64_t random)
{
	return (random >> 20 & 4095) >> (random & 3) << (random >> 2 & 3);
}

static uint64_t sum_of(const uint8_t *memory)
{
	uint64_t hash = 0;
	for (size_t i = 0; i < SIZE; i += 61)
		hash = mix(hash, memory[i]);
	return hash;
}

uint64_t repmovs(uint64_t scale)
{
	uint8_t *memory = malloc(SIZE);
	uint64_t seed = 5;
	for (size_t i = 0; i < SIZE; i++)
		memory[i] = (uint8_t)(i * 7 ^ i >> 8);
	for (uint64_t n = 0; n < scale * 20000; n++) {
		uint64_t r = next_random(&seed);
		size_t bytes = size_of(r), from = (r >> 32) % (SIZE / 2 - bytes), to = SIZE / 2 + (r >> 40) % (SIZE / 2 - bytes);
		copy_bytes(memory + to, memory + from, bytes);
		copy_words(memory + (from & ~7ul), memory + (to & ~7ul), bytes);
	}
	uint64_t hash = sum_of(memory);
	free(memory);
	return hash;
}

uint64_t repstos(uint64_t scale)
{
	uint8_t *memory = calloc(SIZE, 1);
	uint64_t seed = 6;
	for (uint64_t n = 0; n < scale * 30000; n++) {
		uint64_t r = next_random(&seed);
		size_t bytes = size_of(r), to = (r >> 32) % (SIZE - bytes);
		fill_bytes(memory + to, (uint8_t)r, bytes);
		fill_words(memory + (to & ~7ul), r, bytes);
	}
	uint64_t hash = sum_of(memory);
	free(memory);
	return hash;
}

/* As strlen, memchr and memcmp were once written. */
uint64_t repscan(uint64_t scale)
{
	uint8_t *memory = malloc(SIZE);
	uint64_t seed = 8, sum = 0;
	for (size_t i = 0; i < SIZE; i++)
		memory[i] = (uint8_t)(i % 251 ? 1 + i % 200 : 0);
	for (uint64_t n = 0; n < scale * 30000; n++) {
		uint64_t r = next_random(&seed);
		size_t bytes = 1 + size_of(r) % 2048, at = (r >> 32) % (SIZE - 4096);
		sum += find_byte(memory + at, (uint8_t)(r >> 5 & 1 ? 0 : 255), bytes);
		sum += same_bytes(memory + at, memory + at % 251, bytes);
	}
	free(memory);
	return sum;
}
