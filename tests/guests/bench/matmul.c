/* Product of matrices of doubles, one scalar operation at a time. */
#include "bench.h"

enum { SIDE = 96 };
static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

uint64_t matmul(uint64_t scale)
{
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			a[i][j] = (i * 7 + j * 3) % 11 / 8.0;
			b[i][j] = (i * 5 + j) % 13 / 16.0 - 0.3;
		}
	for (uint64_t n = 0; n < scale * 48; n++) {
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++) {
				double s = c[i][j] * 0.25;
				for (int k = 0; k < SIDE; k++)
					s += a[i][k] * b[k][j];
				c[i][j] = s;
			}
	}
	uint64_t hash = 0;
	for (int i = 0; i < SIDE; i++)
		hash = mix(hash, bits(c[i][SIDE - 1 - i]));
	return hash;
}
