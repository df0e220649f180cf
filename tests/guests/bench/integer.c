/* A mix in the manner of embedded code: a linked list searched and reversed, a small integer matrix, a state machine
 * over text, and a CRC over all results. */
#include "bench.h"

struct node {
	struct node *next;
	int16_t key, value;
};

enum { NODES = 64, SIDE = 12 };
static struct node nodes[NODES];
static int16_t a[SIDE][SIDE], b[SIDE][SIDE];
static int32_t c[SIDE][SIDE];

static uint16_t crc16(uint16_t crc, uint32_t word)
{
	for (int i = 0; i < 32; i++) {
		uint16_t carry = (crc ^ word) & 1;
		crc >>= 1;
		word >>= 1;
		if (carry)
			crc ^= 0xa001;
	}
	return crc;
}

static struct node *reverse(struct node *list)
{
	struct node *back = 0;
	while (list) {
		struct node *next = list->next;
		list->next = back;
		back = list;
		list = next;
	}
	return back;
}

static uint32_t lists(uint32_t seed)
{
	for (int i = 0; i < NODES; i++)
		nodes[i] = (struct node){i + 1 < NODES ? &nodes[i + 1] : 0, (int16_t)(i * 37 % NODES), (int16_t)(seed + i)};
	struct node *list = reverse(&nodes[0]);
	uint32_t sum = 0;
	for (int key = 0; key < NODES; key += 5) {
		struct node *at = list;
		while (at && at->key != key)
			at = at->next;
		if (at)
			sum += (uint32_t)at->value * (uint32_t)(key + 1);
	}
	return sum;
}

static uint32_t matrix(uint32_t seed)
{
	uint32_t sum = 0;
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			a[i][j] = (int16_t)(seed + i * j);
			b[i][j] = (int16_t)(seed ^ (i + j));
		}
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			int32_t s = 0;
			for (int k = 0; k < SIDE; k++)
				s += a[i][k] * b[k][j];
			c[i][j] = s;
			sum += (uint32_t)(s >> 3 & 0x7f);
		}
	return sum;
}

/* Counts how each token of a text of numbers ends. */
static uint32_t automaton(uint32_t seed)
{
	static const char text[] = "5012,1234,-874,+122,35.54400,.1234500,-110.700,+5.500e+3,-.123e-2,T0.3e-1F,-T.T++Tq,";
	enum { START, SIGN, INTEGER, FRACTION, EXPONENT, POWER, INVALID, STATES } state = START;
	uint32_t ends[STATES] = {0};
	for (const char *p = text; *p; p++) {
		char ch = *p;
		if (ch == ',') {
			ends[state] += seed & 7;
			ends[state]++;
			state = START;
			continue;
		}
		int digit = ch >= '0' && ch <= '9';
		switch (state) {
		case START: state = digit ? INTEGER : ch == '+' || ch == '-' ? SIGN : ch == '.' ? FRACTION : INVALID; break;
		case SIGN: state = digit ? INTEGER : ch == '.' ? FRACTION : INVALID; break;
		case INTEGER: state = digit ? INTEGER : ch == '.' ? FRACTION : INVALID; break;
		case FRACTION: state = digit ? FRACTION : ch == 'e' ? EXPONENT : INVALID; break;
		case EXPONENT: state = ch == '+' || ch == '-' ? POWER : INVALID; break;
		case POWER: state = digit ? POWER : INVALID; break;
		default: break;
		}
	}
	uint32_t sum = 0;
	for (int i = 0; i < STATES; i++)
		sum = sum * 31 + ends[i];
	return sum;
}

uint64_t integer(uint64_t scale)
{
	uint16_t crc = 0xffff;
	uint32_t seed = 0x1234;
	for (uint64_t i = 0; i < scale * 40000; i++) {
		crc = crc16(crc, lists(seed));
		crc = crc16(crc, matrix(seed));
		crc = crc16(crc, automaton(seed));
		seed = seed * 1103515245u + crc;
	}
	return (uint64_t)crc << 32 | seed;
}
