/* Five bodies under gravity in double precision: square roots and divisions. */
#include "bench.h"
#include <math.h>

struct body {
	double x, y, z, u, v, w, mass;
};

static void advance(struct body *bodies, double dt)
{
	for (int i = 0; i < 5; i++)
		for (int j = i + 1; j < 5; j++) {
			struct body *p = &bodies[i], *q = &bodies[j];
			double dx = p->x - q->x, dy = p->y - q->y, dz = p->z - q->z;
			double square = dx * dx + dy * dy + dz * dz + 0.01;
			double pull = dt / (square * sqrt(square));
			p->u -= dx * q->mass * pull, p->v -= dy * q->mass * pull, p->w -= dz * q->mass * pull;
			q->u += dx * p->mass * pull, q->v += dy * p->mass * pull, q->w += dz * p->mass * pull;
		}
	for (int i = 0; i < 5; i++) {
		bodies[i].x += dt * bodies[i].u;
		bodies[i].y += dt * bodies[i].v;
		bodies[i].z += dt * bodies[i].w;
	}
}

uint64_t nbody(uint64_t scale)
{
	struct body bodies[5] = {
	    {0, 0, 0, 0, 0, 0, 40.0},
	    {4.8, -1.2, -0.1, 0.6, 2.8, 0.02, 0.04},
	    {8.3, 4.1, -0.4, -1.0, 1.8, 0.01, 0.01},
	    {12.9, -15.1, -0.2, 1.1, 0.9, -0.01, 0.002},
	    {15.4, -25.9, 0.2, 1.0, 0.6, -0.03, 0.002},
	};
	for (uint64_t i = 0; i < scale * 300000; i++)
		advance(bodies, 0.001);
	uint64_t hash = 0;
	for (int i = 0; i < 5; i++)
		hash = mix(mix(hash, bits(bodies[i].x)), bits(bodies[i].v));
	return hash;
}
