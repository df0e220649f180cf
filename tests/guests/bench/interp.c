/* A bytecode interpreter with computed gotos: the sieve of Eratosthenes on a stack machine. */
#include "bench.h"

enum { PUSH, ADD, LESS, LOAD, STORE, GET, SET, JUMPZ, JUMP, HALT };
enum { I, J, COUNT, VARIABLES };
enum { LIMIT = 4096 };

static const struct {
	uint16_t operation, operand;
} code[] = {
    /*  0 i = 2                */ {PUSH, 2}, {STORE, I},
    /*  2 while i < LIMIT      */ {LOAD, I}, {PUSH, LIMIT}, {LESS, 0}, {JUMPZ, 30},
    /*  6   if memory[i] == 0  */ {LOAD, I}, {GET, 0}, {JUMPZ, 10}, {JUMP, 31},
    /* 10     count++          */ {LOAD, COUNT}, {PUSH, 1}, {ADD, 0}, {STORE, COUNT},
    /* 14     j = i + i        */ {LOAD, I}, {LOAD, I}, {ADD, 0}, {STORE, J},
    /* 18     while j < LIMIT  */ {LOAD, J}, {PUSH, LIMIT}, {LESS, 0}, {JUMPZ, 31},
    /* 22       memory[j] = 1  */ {PUSH, 1}, {LOAD, J}, {SET, 0},
    /* 25       j += i         */ {LOAD, J}, {LOAD, I}, {ADD, 0}, {STORE, J}, {JUMP, 18},
    /* 30 end                  */ {HALT, 0},
    /* 31   i++                */ {LOAD, I}, {PUSH, 1}, {ADD, 0}, {STORE, I}, {JUMP, 2},
};

static __attribute__((noinline)) uint64_t run(uint8_t *memory)
{
	static const void *const labels[] = {&&push, &&add, &&less, &&load, &&store, &&get, &&set, &&jumpz, &&jump, &&halt};
	uint32_t stack[16], *sp = stack, variables[VARIABLES] = {0}, operand, at = 0;
	uint64_t steps = 0;
#define NEXT                                    \
	do {                                    \
		steps++;                        \
		operand = code[at].operand;     \
		goto *labels[code[at++].operation]; \
	} while (0)
	NEXT;
push:
	*sp++ = operand;
	NEXT;
add:
	sp--;
	sp[-1] += sp[0];
	NEXT;
less:
	sp--;
	sp[-1] = sp[-1] < sp[0];
	NEXT;
load:
	*sp++ = variables[operand];
	NEXT;
store:
	variables[operand] = *--sp;
	NEXT;
get:
	sp[-1] = memory[sp[-1]];
	NEXT;
set:
	sp -= 2;
	memory[sp[1]] = (uint8_t)sp[0];
	NEXT;
jumpz:
	if (!*--sp)
		at = operand;
	NEXT;
jump:
	at = operand;
	NEXT;
halt:
	return steps << 16 | variables[COUNT];
}

uint64_t interp(uint64_t scale)
{
	static uint8_t memory[LIMIT];
	uint64_t hash = 0;
	for (uint64_t n = 0; n < scale * 80; n++) {
		for (int i = 0; i < LIMIT; i++)
			memory[i] = 0;
		hash = mix(hash, run(memory));
	}
	return hash;
}
