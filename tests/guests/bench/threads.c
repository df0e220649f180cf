/* Two threads at one counter, with atomic additions and with a lock of compare-and-swap. */
#include "bench.h"
#include <pthread.h>
#include <sched.h>

static uint64_t counter, guarded;
static uint32_t lock;

static void *work(void *count)
{
	for (uint64_t i = 0; i < *(uint64_t *)count; i++) {
		__atomic_fetch_add(&counter, i, __ATOMIC_RELAXED);
		if (i % 16)
			continue;
		uint32_t unlocked = 0;
		while (!__atomic_compare_exchange_n(&lock, &unlocked, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
			unlocked = 0;
			sched_yield();
		}
		guarded += i;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	return 0;
}

uint64_t threads(uint64_t scale)
{
	uint64_t count = scale * 6000000;
	counter = guarded = 0;
	pthread_t other;
	if (pthread_create(&other, 0, work, &count))
		return 0;
	work(&count);
	pthread_join(other, 0);
	return mix(counter, guarded);
}
