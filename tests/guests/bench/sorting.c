/* A quicksort of our own that compares through a function pointer, over three orders of the same records. */
#include "bench.h"

struct item {
	uint32_t key;
	float weight;
	uint64_t id;
};

typedef int compare(const void *, const void *);

static int by_key(const void *x, const void *y)
{
	uint32_t a = ((const struct item *)x)->key, b = ((const struct item *)y)->key;
	return (a > b) - (a < b);
}

static int by_weight(const void *x, const void *y)
{
	float a = ((const struct item *)x)->weight, b = ((const struct item *)y)->weight;
	return a != b ? (a > b) - (a < b) : by_key(x, y);
}

static int by_id(const void *x, const void *y)
{
	uint64_t a = ((const struct item *)x)->id, b = ((const struct item *)y)->id;
	return (a > b) - (a < b);
}

static void swap(struct item *x, struct item *y)
{
	struct item t = *x;
	*x = *y;
	*y = t;
}

static void sort(struct item *items, long count, compare *order)
{
	while (count > 12) {
		struct item pivot = items[count / 2];
		long i = 0, j = count - 1;
		while (i <= j) {
			while (order(&items[i], &pivot) < 0)
				i++;
			while (order(&items[j], &pivot) > 0)
				j--;
			if (i <= j)
				swap(&items[i++], &items[j--]);
		}
		sort(items, j + 1, order);
		items += i;
		count -= i;
	}
	for (long i = 1; i < count; i++)
		for (long j = i; j > 0 && order(&items[j - 1], &items[j]) > 0; j--)
			swap(&items[j - 1], &items[j]);
}

uint64_t sorting(uint64_t scale)
{
	enum { COUNT = 50000 };
	static struct item items[COUNT];
	static compare *volatile orders[3] = {by_key, by_weight, by_id};
	uint64_t seed = 42, hash = 0;
	for (uint64_t n = 0; n < scale * 4; n++) {
		for (int i = 0; i < COUNT; i++) {
			uint64_t r = next_random(&seed);
			items[i] = (struct item){(uint32_t)r, (float)(r >> 44), r};
		}
		for (int o = 0; o < 3; o++) {
			sort(items, COUNT, orders[o]);
			for (int i = 0; i < COUNT; i += 97)
				hash = mix(hash, items[i].id);
		}
	}
	return hash;
}
