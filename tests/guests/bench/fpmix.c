/* Scalar floating point of both widths: polynomials, conversions, comparisons, selections. */
#include "bench.h"
#include <math.h>

static float wave(float x)
{
	/* A cubic for the sine between -pi and pi; how good it is does not matter. */
	float t = x - (float)(int)(x * 0.159154943f) * 6.283185307f;
	return t * (1.0f - t * t * (0.16605f - 0.00761f * t * t));
}

uint64_t fpmix(uint64_t scale)
{
	double sum = 0, low = 1e9, high = -1e9;
	float phase = 0;
	int64_t steps = 0;
	for (uint64_t i = 0; i < scale * 3000000; i++) {
		phase += 0.37f;
		if (phase > 40.0f)
			phase -= 41.5f;
		float y = wave(phase);
		double d = (double)y * 1.5 + (double)(int32_t)(i & 1023) * 0x1p-12;
		low = d < low ? d : low;
		high = d > high ? d : high;
		steps += (int64_t)(d * 100.0) + (fabs(d) < 0.5);
		sum += d / (1.0 + fabs(d)) - floor(d);
	}
	return mix(mix(mix(mix(0, bits(sum)), bits(low)), bits(high)), (uint64_t)steps);
}
