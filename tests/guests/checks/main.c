// Runs the checks that are named, or all. Ends with the number of failures.
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char said[512];

void say(const char *format, ...) {
    va_list args;
    size_t used = strlen(said);
    va_start(args, format);
    used += snprintf(said + used, sizeof said - used, "; ");
    vsnprintf(said + used, sizeof said - used, format, args);
    va_end(args);
}

int fail(const char *format, ...) {
    va_list args;
    size_t used = strlen(said);
    va_start(args, format);
    used += snprintf(said + used, sizeof said - used, "; ");
    vsnprintf(said + used, sizeof said - used, format, args);
    va_end(args);
    return 1;
}

int check(const char *name, int (*what)(void)) {
    said[0] = 0;
    int failed = what() != 0;
    printf("CHECK %s %s%s\n", name, failed ? "FAILED" : "ok", said);
    fflush(stdout);
    return failed;
}

int main(int count, char **names) {
    static const struct {
        const char *name;
        int (*run)(void);
    } all[] = {{"debug", check_debug}, {"pauth", check_pauth}, {"pmu", check_pmu}};
    int failures = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        int wanted = count < 2;
        for (int n = 1; n < count; n++) wanted |= !strcmp(names[n], all[i].name);
        if (wanted) failures += all[i].run();
    }
    printf("CHECKS %d failed\n", failures);
    return failures;
}
