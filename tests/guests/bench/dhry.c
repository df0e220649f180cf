/* Small procedures that pass records, strings and enumerations to one another, as system programs of old did. */
#include "bench.h"
#include <string.h>

enum kind { FIRST, SECOND, THIRD };

struct record {
	struct record *link;
	enum kind kind;
	int number;
	char text[32];
};

static struct record one, two;
static int global, table[50];
static char letter;

static __attribute__((noinline)) enum kind other(char x, char y)
{
	if (x != y)
		return FIRST;
	letter = x;
	return SECOND;
}

static __attribute__((noinline)) int order(const char *x, const char *y)
{
	int at = 2;
	while (at <= 2)
		if (other(x[at], y[at + 1]) == FIRST)
			at++;
	if (strcmp(x, y) > 0) {
		global = at + 7;
		return 1;
	}
	return 0;
}

static __attribute__((noinline)) void step(enum kind in, enum kind *out)
{
	*out = in;
	if (in == THIRD)
		*out = global > 100 ? FIRST : SECOND;
	else if (in == SECOND)
		*out = THIRD;
}

static __attribute__((noinline)) void add(int x, int y, int *sum)
{
	*sum = x + 2 + y;
}

static __attribute__((noinline)) void fill(int *array, int x, int y)
{
	int at = x + 5;
	array[at] = y;
	array[at + 1] = array[at];
	array[at + 20] = at;
	for (int i = at; i <= at + 1; i++)
		array[i - 1] += i;
	global = 5;
}

static __attribute__((noinline)) void link(struct record *from)
{
	struct record *to = from->link;
	*to = *from;
	from->number = 5;
	to->number = from->number;
	to->link = from->link;
	step(from->kind, &to->kind);
	add(global, 10, &to->number);
}

uint64_t dhry(uint64_t scale)
{
	char x[32] = "DHRYSTONES OF ANOTHER KIND, ONE", y[32];
	uint64_t hash = 0;
	one = (struct record){&two, SECOND, 40, "RECORDS ARE COPIED AS A WHOLE"};
	two = (struct record){0};
	global = letter = 0;
	memset(table, 0, sizeof table);
	for (uint64_t i = 0; i < scale * 1500000; i++) {
		int a = 2, b = 3, c = 0;
		strcpy(y, "DHRYSTONES OF ANOTHER KIND, TWO");
		y[29] = (char)(i & 1 ? letter : x[2]);
		int greater = order(x, y);
		while (a < b) {
			c = 5 * a - b;
			add(a, b, &c);
			a++;
		}
		fill(table, a, c + (int)(i & 15));
		link(&one);
		for (char ch = 'A'; ch <= 'B' + (char)(i & 1); ch++)
			if (other(ch, 'C') == SECOND)
				a = 7 * (c - b) - a;
		hash = mix(hash, (uint64_t)(a + b + c + greater + two.number + table[8] + letter) & 0xffffffffu);
	}
	return hash;
}
