/* Runs the programs named on the command line, or all, and prints a line `NAME checksum seconds` for each.
 *
 *     bench [-s SCALE] [-r ROUNDS] [NAME...]   SCALE multiplies every count, ROUNDS repeats everything; default 1
 *     bench [-s SCALE] -i                      runs what standard input names, a line each, up to an empty one
 *     bench -l                                 lists `NAME group`
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *name, *group;
	program *run;
} table[] = {
    {"integer", "integer", integer},
    {"dhry", "integer", dhry},
    {"sha256", "integer", sha256},
    {"aes", "integer", aes},
    {"qsort", "integer", sorting},
    {"fib", "integer", fib},
    {"interp", "integer", interp},
    {"strings", "integer", strings},
    {"lz", "integer", lz},
    {"matmul", "fp", matmul},
    {"nbody", "fp", nbody},
    {"fpmix", "fp", fpmix},
    {"simdfloat", "simd", simdfloat},
    {"simdint", "simd", simdint},
#ifdef BENCH_PC
    {"avxfloat", "simd", avxfloat},
    {"avxint", "simd", avxint},
    {"x87poly", "x87", x87poly},
    {"x87mandel", "x87", x87mandel},
    {"x87mix", "x87", x87mix},
    {"repmovs", "rep", repmovs},
    {"repstos", "rep", repstos},
    {"repscan", "others", repscan},
#endif
    {"syscall", "syscalls", syscalls},
    {"forkexec", "syscalls", forkexec},
    {"pipe", "syscalls", pingpong},
    {"pgfault", "syscalls", pgfault},
    {"stream", "others", stream},
    {"chase", "others", chase},
    {"jit", "others", jit},
    {"smc", "others", smc},
    {"threads", "others", threads},
    {"console", "others", console},
};
enum { PROGRAMS = sizeof table / sizeof table[0] };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int wanted(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return 1;
	return count == 0;
}

static void measure(int n, uint64_t scale)
{
	double start = now();
	uint64_t checksum = table[n].run(scale);
	double seconds = now() - start;
	printf("%s %016llx %.6f\n", table[n].name, (unsigned long long)checksum, seconds);
	fflush(stdout);
}

/* Whoever asks waits for the answer, so that nothing runs here in the meantime. */
static int answer(uint64_t scale)
{
	char name[32];
	while (fgets(name, sizeof name, stdin)) {
		int n = 0;
		name[strcspn(name, "\n")] = '\0';
		if (!*name)
			break;
		while (n < PROGRAMS && strcmp(name, table[n].name))
			n++;
		if (n == PROGRAMS)
			return 2;
		measure(n, scale);
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t scale = 1, rounds = 1;
	int option, asked = 0;
	if (argc > 1 && !strcmp(argv[1], "--nop")) /* what forkexec executes */
		return 7;
	while ((option = getopt(argc, argv, "ilr:s:")) != -1) {
		if (option == 'l') {
			for (int i = 0; i < PROGRAMS; i++)
				printf("%s %s\n", table[i].name, table[i].group);
			return 0;
		}
		if (option == 'i') {
			asked = 1;
			continue;
		}
		uint64_t *number = option == 's' ? &scale : option == 'r' ? &rounds : NULL;
		if (!number || !(*number = strtoull(optarg, NULL, 10)))
			return 2;
	}
	if (asked)
		return answer(scale);
	for (uint64_t i = 0; i < PROGRAMS * rounds; i++)
		if (wanted(table[i % PROGRAMS].name, argv + optind, argc - optind))
			measure(i % PROGRAMS, scale);
	return 0;
}
