// Checks of what a processor offers to programs under Linux: each prints one line.
#pragma once

#include <stdint.h>

// Runs one check: what it does is 0 or it said what failed. Gives the number of failures.
int check(const char *name, int (*what)(void));
// Says why a check fails; 1.
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Adds to the line of a check.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

int check_debug(void);
int check_pauth(void);
int check_pmu(void);
