/* Vectors of 128 bits by the compiler's vector extension: NEON there, SSE here, the same results. */
#include "bench.h"

typedef float f32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

enum { COUNT = 1024 };

/* A filter over single precision, a recurrence over double precision. */
uint64_t simdfloat(uint64_t scale)
{
	static f32x4 x[COUNT], y[COUNT];
	f64x2 d = {0.25, 0.75}, e = {0, 0};
	for (int i = 0; i < COUNT; i++) {
		x[i] = (f32x4){i, i + 1, i + 2, i + 3} * 0.01f;
		y[i] = (f32x4){0, 0, 0, 0};
	}
	for (uint64_t n = 0; n < scale * 3000; n++) {
		for (int i = 2; i < COUNT; i++) {
			f32x4 s = x[i] * 0.5f + x[i - 1] * 0.3f - x[i - 2] * 0.2f;
			i32x4 over = s > 4.0f;
			s = (f32x4)(((i32x4)s & ~over) | ((i32x4)(s - 4.0f) & over));
			y[i] = s / (y[i] * y[i] + 1.5f);
		}
		d = d * (1.0 - d) * 3.7;
		e += d;
	}
	f32x4 sum = {0, 0, 0, 0};
	for (int i = 0; i < COUNT; i++)
		sum += y[i];
	uint64_t hash = mix(mix(0, bits(e[0])), bits(e[1]));
	for (int i = 0; i < 4; i++)
		hash = mix(hash, bits(sum[i]));
	return hash;
}

/* Pixels blended, samples scaled, words hashed and shuffled. */
uint64_t simdint(uint64_t scale)
{
	static u8x16 a[COUNT], b[COUNT];
	static i16x8 s[COUNT];
	u32x4 h = {1, 2, 3, 4};
	const u8x16 turn = {3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12};
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < 16; j++) {
			a[i][j] = (uint8_t)(i * 3 + j);
			b[i][j] = (uint8_t)(i ^ j * 9);
			s[i][j / 2] = (int16_t)(i * 31 - j);
		}
	for (uint64_t n = 0; n < scale * 20000; n++)
		for (int i = 0; i < COUNT; i++) {
			u8x16 less = (u8x16)(a[i] < b[i]);
			u8x16 largest = (b[i] & less) | (a[i] & ~less);
			u8x16 mean = (a[i] >> 1) + (b[i] >> 1) + (a[i] & b[i] & 1);
			a[i] = __builtin_shuffle(mean + 1, turn);
			b[i] = largest ^ (u8x16)h;
			s[i] = s[i] * 3 + (s[i] >> 4) - (i16x8)mean;
			h = (h << 5 | h >> 27) ^ (u32x4)s[i];
			h = h * 0x9e3779b1u + (u32x4)largest;
		}
	uint64_t hash = 0;
	for (int i = 0; i < 4; i++)
		hash = mix(hash, h[i]);
	return hash;
}
