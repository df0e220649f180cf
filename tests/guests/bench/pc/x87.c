/* 80-bit floating point: the x87's stack, its conversions and its comparisons. */
#include "../bench.h"
#include <string.h>

/* The mantissa and the exponent, without what pads them. */
static uint64_t extended_bits(uint64_t hash, long double value)
{
	uint64_t mantissa;
	uint16_t exponent;
	memcpy(&mantissa, &value, 8);
	memcpy(&exponent, (char *)&value + 8, 2);
	return mix(mix(hash, mantissa), exponent);
}

/* A polynomial at many places, with the coefficients in memory. */
uint64_t x87poly(uint64_t scale)
{
	static long double coefficients[12];
	long double sum = 0;
	for (int i = 0; i < 12; i++)
		coefficients[i] = 1.0L / (i * i + 3);
	for (uint64_t n = 0; n < scale * 150000; n++) {
		long double x = (long double)(int32_t)(n & 4095) / 4096.0L - 0.5L, y = 0;
		for (int i = 11; i >= 0; i--)
			y = y * x + coefficients[i];
		sum += y;
	}
	return extended_bits(0, sum);
}

/* How soon points leave the Mandelbrot set. */
uint64_t x87mandel(uint64_t scale)
{
	uint64_t hash = 0;
	for (uint64_t n = 0; n < scale * 16; n++)
		for (int py = 0; py < 64; py++)
			for (int px = 0; px < 64; px++) {
				long double cx = px * 0.04L - 2.0L, cy = py * 0.035L - 1.1L, x = 0, y = 0;
				int count = 0;
				while (count < 160 && x * x + y * y < 4.0L) {
					long double t = x * x - y * y + cx;
					y = 2 * x * y + cy;
					x = t;
					count++;
				}
				hash = mix(hash, (uint64_t)count);
			}
	return hash;
}

/* Square roots, quotients, conversions from and to integers, floats and doubles. */
uint64_t x87mix(uint64_t scale)
{
	static double doubles[256];
	static float floats[256];
	long double sum = 0, most = 0;
	int64_t whole = 0;
	for (int i = 0; i < 256; i++) {
		doubles[i] = i * 0.37 + 1;
		floats[i] = (float)(i * 0.11 + 2);
	}
	for (uint64_t n = 0; n < scale * 400000; n++) {
		long double a = doubles[n & 255], b = floats[n * 7 & 255];
		long double root;
		__asm__("fsqrt" : "=t"(root) : "0"(a + b));
		long double q = a / b - root;
		if (q < 0)
			q = -q;
		if (q > most)
			most = q;
		sum += q;
		whole += (int64_t)(q * 1000.0L);
		doubles[n & 255] = (double)(a + 0.001L);
	}
	return mix(extended_bits(extended_bits(0, sum), most), (uint64_t)whole);
}
