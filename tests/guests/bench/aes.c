/* AES-128 (FIPS 197) by tables that are made at the start, in counter mode. */
#include "bench.h"

static uint8_t sbox[256];
static uint32_t table[4][256], key[44];

static uint8_t times2(uint8_t x)
{
	return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b);
}

static void make_tables(void)
{
	uint8_t p = 1, q = 1;
	do { /* p runs through the field by 3, q by its inverse */
		p ^= times2(p);
		q ^= (uint8_t)(q << 1);
		q ^= (uint8_t)(q << 2);
		q ^= (uint8_t)(q << 4);
		if (q & 0x80)
			q ^= 9;
		sbox[p] = (uint8_t)(q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5) ^ (q << 4 | q >> 4) ^ 0x63);
	} while (p != 1);
	sbox[0] = 0x63;
	for (int i = 0; i < 256; i++) {
		uint8_t s = sbox[i], d = times2(s);
		uint32_t word = (uint32_t)d << 24 | s << 16 | s << 8 | (d ^ s);
		for (int j = 0; j < 4; j++) {
			table[j][i] = word;
			word = word >> 8 | word << 24;
		}
	}
}

static uint32_t substitute(uint32_t w)
{
	return (uint32_t)sbox[w >> 24] << 24 | sbox[w >> 16 & 255] << 16 | sbox[w >> 8 & 255] << 8 | sbox[w & 255];
}

static void expand(const uint32_t k[4])
{
	uint8_t round = 1;
	for (int i = 0; i < 44; i++) {
		uint32_t w = i < 4 ? k[i] : key[i - 1];
		if (i >= 4) {
			if (i % 4 == 0) {
				w = substitute(w << 8 | w >> 24) ^ (uint32_t)round << 24;
				round = times2(round);
			}
			w ^= key[i - 4];
		}
		key[i] = w;
	}
}

static void encrypt(uint32_t s[4])
{
	uint32_t t[4];
	for (int i = 0; i < 4; i++)
		s[i] ^= key[i];
	for (int round = 1; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			t[i] = table[0][s[i] >> 24] ^ table[1][s[(i + 1) & 3] >> 16 & 255] ^ table[2][s[(i + 2) & 3] >> 8 & 255] ^
			       table[3][s[(i + 3) & 3] & 255] ^ key[4 * round + i];
		for (int i = 0; i < 4; i++)
			s[i] = t[i];
	}
	for (int i = 0; i < 4; i++)
		t[i] = ((uint32_t)sbox[s[i] >> 24] << 24 | sbox[s[(i + 1) & 3] >> 16 & 255] << 16 |
			sbox[s[(i + 2) & 3] >> 8 & 255] << 8 | sbox[s[(i + 3) & 3] & 255]) ^ key[40 + i];
	for (int i = 0; i < 4; i++)
		s[i] = t[i];
}

uint64_t aes(uint64_t scale)
{
	static const uint32_t k[4] = {0x2b7e1516, 0x28aed2a6, 0xabf71588, 0x09cf4f3c};
	uint64_t hash = 0;
	make_tables();
	expand(k);
	for (uint64_t i = 0; i < scale * 1000000; i++) {
		uint32_t s[4] = {0x6bc1bee2, 0x2e409f96, (uint32_t)(i >> 32), (uint32_t)i};
		encrypt(s);
		hash = mix(hash, (uint64_t)s[0] << 32 | s[3]);
	}
	return hash;
}
