/* Words counted in a hash table: allocation, copying, comparing, formatting. */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct entry *next;
	unsigned count;
	char *word;
};

enum { BUCKETS = 1024 };

static void count(struct entry **buckets, const char *word)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	for (const char *p = word; *p; p++)
		hash = mix(hash, (unsigned char)*p);
	struct entry **at = &buckets[hash >> 20 & (BUCKETS - 1)];
	while (*at && strcmp((*at)->word, word))
		at = &(*at)->next;
	if (!*at) {
		*at = calloc(1, sizeof **at);
		(*at)->word = malloc(strlen(word) + 1);
		strcpy((*at)->word, word);
	}
	(*at)->count++;
}

uint64_t strings(uint64_t scale)
{
	uint64_t seed = 7, sum = 0;
	for (uint64_t n = 0; n < scale * 12; n++) {
		struct entry *buckets[BUCKETS] = {0};
		for (int i = 0; i < 20000; i++) {
			char word[64], text[80];
			uint64_t r = next_random(&seed);
			snprintf(word, sizeof word, "%s-%u", r & 1 ? "lyre" : "bird", (unsigned)(r >> 40) % 3000);
			strcpy(text, "the ");
			strcat(text, word);
			memmove(text + 2, text, strlen(text) + 1);
			count(buckets, strchr(text + 4, ' ') ? strchr(text + 4, ' ') + 1 : text);
		}
		for (int i = 0; i < BUCKETS; i++)
			for (struct entry *e = buckets[i], *next; e; e = next) {
				sum = sum * 31 + e->count * strlen(e->word);
				next = e->next;
				free(e->word);
				free(e);
			}
	}
	return sum;
}
