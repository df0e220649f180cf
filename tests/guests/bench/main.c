/* Runs the programs named on the command line, or all, and prints a line `NAME checksum seconds` for each.
 *
 *     bench [-s SCALE] [NAME...]     SCALE multiplies every count, default 1
 *     bench -l                       lists `NAME group`
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

int main(int argc, char **argv)
{
	uint64_t scale = 1, rounds = 1;
	int option;
	if (argc > 1 && !strcmp(argv[1], "--nop")) /* what forkexec executes */
		return 7;
	while ((option = getopt(argc, argv, "lr:s:")) != -1) {
		if (option == 'l') {
			for (int i = 0; i < PROGRAMS; i++)
				printf("%s %s\n", table[i].name, table[i].group);
			return 0;
		}
		uint64_t *number = option == 's' ? &scale : option == 'r' ? &rounds : NULL;
		if (!number || !(*number = strtoull(optarg, NULL, 10)))
			return 2;
	}
	for (uint64_t i = 0; i < PROGRAMS * rounds; i++) {
		int n = i % PROGRAMS;
		if (!wanted(table[n].name, argv + optind, argc - optind))
			continue;
		double start = now();
		uint64_t checksum = table[n].run(scale);
		double seconds = now() - start;
		printf("%s %016llx %.6f\n", table[n].name, (unsigned long long)checksum, seconds);
		fflush(stdout);
	}
	return 0;
}
