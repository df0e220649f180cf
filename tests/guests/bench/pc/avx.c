/* Vectors of 256 bits, with fused multiplication and addition: what AVX2 and FMA add. */
#include "../bench.h"
#include <immintrin.h>

enum { COUNT = 512 };

/* Dot products and a filter of floats, a recurrence of doubles. */
uint64_t avxfloat(uint64_t scale)
{
	static __m256 x[COUNT], y[COUNT];
	__m256d d = _mm256_set_pd(0.1, 0.3, 0.5, 0.7), e = _mm256_setzero_pd();
	const __m256 half = _mm256_set1_ps(0.5f), some = _mm256_set1_ps(-0.2f), one = _mm256_set1_ps(1.5f);
	for (int i = 0; i < COUNT; i++) {
		x[i] = _mm256_mul_ps(_mm256_set_ps(i, i + 1, i + 2, i + 3, i + 4, i + 5, i + 6, i + 7), _mm256_set1_ps(0.01f));
		y[i] = _mm256_setzero_ps();
	}
	for (uint64_t n = 0; n < scale * 2500; n++) {
		for (int i = 1; i < COUNT; i++) {
			__m256 s = _mm256_fmadd_ps(x[i], half, _mm256_mul_ps(x[i - 1], some));
			__m256 over = _mm256_cmp_ps(s, _mm256_set1_ps(1.0f), _CMP_GT_OQ);
			s = _mm256_blendv_ps(s, _mm256_sub_ps(s, half), over);
			y[i] = _mm256_div_ps(s, _mm256_fmadd_ps(y[i], y[i], one));
			d = _mm256_fmadd_pd(_mm256_mul_pd(d, _mm256_sub_pd(_mm256_set1_pd(1), d)), _mm256_set1_pd(3.7), _mm256_set1_pd(0));
			e = _mm256_add_pd(e, d);
		}
	}
	__m256 sum = _mm256_setzero_ps();
	for (int i = 0; i < COUNT; i++)
		sum = _mm256_add_ps(sum, y[i]);
	uint64_t hash = 0;
	for (int i = 0; i < 4; i++)
		hash = mix(hash, bits(e[i]));
	for (int i = 0; i < 8; i++)
		hash = mix(hash, bits(sum[i]));
	return hash;
}

/* Bytes blended and shuffled, words multiplied and packed, lanes crossed. */
uint64_t avxint(uint64_t scale)
{
	static __m256i a[COUNT], b[COUNT];
	__m256i h = _mm256_set1_epi32(12345);
	const __m256i turn = _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2, 1, 0, 7, 6, 5, 4, 11,
	                                      10, 9, 8, 15, 14, 13, 12);
	for (int i = 0; i < COUNT; i++) {
		a[i] = _mm256_set1_epi32((int)(i * 0x01020304u));
		b[i] = _mm256_set1_epi32((int)(i * 0x11031507u));
	}
	for (uint64_t n = 0; n < scale * 8000; n++)
		for (int i = 0; i < COUNT; i++) {
			__m256i mean = _mm256_avg_epu8(a[i], b[i]), most = _mm256_max_epu8(a[i], b[i]);
			a[i] = _mm256_shuffle_epi8(_mm256_add_epi8(mean, _mm256_set1_epi8(1)), turn);
			b[i] = _mm256_xor_si256(most, h);
			__m256i products = _mm256_madd_epi16(mean, most);
			h = _mm256_add_epi32(_mm256_permute4x64_epi64(h, 0x39), _mm256_srlv_epi32(products, _mm256_set1_epi32(3)));
			h = _mm256_xor_si256(h, _mm256_packus_epi16(products, most));
		}
	uint64_t hash = 0;
	for (int i = 0; i < 4; i++)
		hash = mix(hash, (uint64_t)h[i]);
	return hash;
}
