/* A byte-oriented dictionary compressor of our own and its decompressor; the round trip must give the input back. */
#include "bench.h"
#include <string.h>

enum { SIZE = 1 << 18, HASH = 1 << 14, LEAST = 4 };
static uint8_t input[SIZE], packed[SIZE * 2], output[SIZE];
static uint32_t heads[HASH];

static uint32_t word(const uint8_t *p)
{
	uint32_t w;
	memcpy(&w, p, 4);
	return w;
}

/* A token: length of literals, literals, then length and distance of a copy, each number in base 128. */
static uint8_t *number(uint8_t *out, uint32_t n)
{
	for (; n >= 128; n >>= 7)
		*out++ = (uint8_t)(n | 128);
	*out++ = (uint8_t)n;
	return out;
}

static size_t pack(void)
{
	uint8_t *out = packed;
	size_t start = 0, at = 0;
	memset(heads, 0xff, sizeof heads);
	while (at + LEAST <= SIZE) {
		uint32_t slot = word(input + at) * 2654435761u >> 18, from = heads[slot];
		heads[slot] = (uint32_t)at;
		if (from == 0xffffffffu || word(input + from) != word(input + at)) {
			at++;
			continue;
		}
		size_t length = LEAST;
		while (at + length < SIZE && input[from + length] == input[at + length])
			length++;
		out = number(out, (uint32_t)(at - start));
		memcpy(out, input + start, at - start);
		out += at - start;
		out = number(out, (uint32_t)length);
		out = number(out, (uint32_t)(at - from));
		at += length;
		start = at;
	}
	out = number(out, (uint32_t)(SIZE - start));
	memcpy(out, input + start, SIZE - start);
	return (size_t)(out + (SIZE - start) - packed);
}

static const uint8_t *take(const uint8_t *in, uint32_t *n)
{
	*n = 0;
	for (int shift = 0;; shift += 7) {
		*n |= (uint32_t)(*in & 127) << shift;
		if (!(*in++ & 128))
			return in;
	}
}

static void unpack(void)
{
	const uint8_t *in = packed;
	for (size_t at = 0;;) {
		uint32_t literals, length, distance;
		in = take(in, &literals);
		memcpy(output + at, in, literals);
		in += literals;
		at += literals;
		if (at >= SIZE)
			return;
		in = take(take(in, &length), &distance);
		for (uint32_t i = 0; i < length; i++, at++)
			output[at] = output[at - distance];
	}
}

uint64_t lz(uint64_t scale)
{
	static const char *const words[8] = {"emulator ", "instruction ", "register ", "the ", "of ", "a ", "guest ", "host\n"};
	uint64_t seed = 3, hash = 0;
	for (uint64_t n = 0; n < scale * 30; n++) {
		for (size_t at = 0; at < SIZE;) {
			uint64_t r = next_random(&seed);
			for (const char *p = words[r >> 61]; *p && at < SIZE; p++)
				input[at++] = (uint8_t)*p;
			if ((r & 15) == 0 && at < SIZE)
				input[at++] = (uint8_t)(r >> 8);
		}
		hash = mix(hash, pack());
		unpack();
		hash = mix(hash, (uint64_t)(memcmp(input, output, SIZE) != 0));
	}
	return hash;
}
