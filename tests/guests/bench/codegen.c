/* Code that is written while the program runs: many small functions, and one that changes. */
#include "bench.h"
#include <sys/mman.h>

typedef uint32_t function(uint32_t);

/* Writes `return x + value` at `at` for an argument x, and returns where it ends. */
#if defined(__aarch64__)
static uint8_t *write_function(uint8_t *at, uint16_t value)
{
	uint32_t *out = (uint32_t *)at;
	*out++ = 0x52800001 | (uint32_t)value << 5; /* mov w1, #value */
	*out++ = 0x0b010000;                        /* add w0, w0, w1 */
	*out++ = 0xd65f03c0;                        /* ret */
	return (uint8_t *)out;
}
#elif defined(__x86_64__)
static uint8_t *write_function(uint8_t *at, uint16_t value)
{
	*at++ = 0x8d; /* lea eax, [rdi + value] */
	*at++ = 0x87;
	*at++ = (uint8_t)value;
	*at++ = (uint8_t)(value >> 8);
	*at++ = 0;
	*at++ = 0;
	*at++ = 0xc3; /* ret */
	return at;
}
#else
#error "This architecture's instructions are missing here"
#endif

enum { FUNCTIONS = 4096, SPACING = 32 };

static uint8_t *code_memory(void)
{
	return mmap(0, FUNCTIONS * SPACING, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* All functions are written, then each is called eight times. */
uint64_t jit(uint64_t scale)
{
	uint8_t *code = code_memory();
	uint64_t hash = 0;
	if (code == MAP_FAILED)
		return 0;
	for (uint64_t n = 0; n < scale * 12; n++) {
		for (int i = 0; i < FUNCTIONS; i++)
			write_function(code + i * SPACING, (uint16_t)(i * 13 + n));
		__builtin___clear_cache((char *)code, (char *)code + FUNCTIONS * SPACING);
		uint32_t x = 0;
		for (int round = 0; round < 8; round++)
			for (int i = 0; i < FUNCTIONS; i++)
				x = ((function *)(void *)(code + i * SPACING))(x);
		hash = mix(hash, x);
	}
	munmap(code, FUNCTIONS * SPACING);
	return hash;
}

/* One function is rewritten and called twice, over and over. */
uint64_t smc(uint64_t scale)
{
	uint8_t *code = code_memory();
	uint32_t x = 0;
	if (code == MAP_FAILED)
		return 0;
	for (uint64_t n = 0; n < scale * 25000; n++) {
		uint8_t *end = write_function(code, (uint16_t)n);
		__builtin___clear_cache((char *)code, (char *)end);
		x = ((function *)(void *)code)(x) * 3;
		x = ((function *)(void *)code)(x);
	}
	munmap(code, FUNCTIONS * SPACING);
	return x;
}
