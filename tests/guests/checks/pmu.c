// The performance monitors as perf uses them: counting, by level, and sampling.
#define _GNU_SOURCE
#include "checks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile uint64_t work;
static void toil(int rounds) {
    for (int i = 0; i < rounds; i++) work += i;
}

static int open_event(uint64_t event, uint64_t period, int kernel) {
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attr,
        .config = event,
        .disabled = 1,
        .exclude_kernel = !kernel,
        .exclude_hv = 1,
        .sample_period = period,
        .wakeup_events = period ? 1 : 0,
    };
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t counted(int event) {
    uint64_t value = 0;
    return read(event, &value, sizeof value) == sizeof value ? value : 0;
}

static int count(uint64_t event) {
    int user = open_event(event, 0, 0), both = open_event(event, 0, 1);
    if (user < 0 || both < 0) return errno == ENOENT ? (say("not supported"), 0) : fail("%s", strerror(errno));
    ioctl(user, PERF_EVENT_IOC_ENABLE, 0);
    ioctl(both, PERF_EVENT_IOC_ENABLE, 0);
    toil(1000000);
    for (int i = 0; i < 1000; i++) syscall(SYS_getppid);
    ioctl(user, PERF_EVENT_IOC_DISABLE, 0);
    ioctl(both, PERF_EVENT_IOC_DISABLE, 0);
    uint64_t u = counted(user), b = counted(both);
    uint64_t again = counted(user);
    close(user);
    close(both);
    if (u < 1000) return fail("%lu counted in user code", (long)u);
    if (b <= u) return fail("%lu counted with the kernel, %lu without", (long)b, (long)u);
    return again == u ? 0 : fail("a stopped counter goes on");
}

static int cycles(void) { return count(PERF_COUNT_HW_CPU_CYCLES); }
static int instructions(void) { return count(PERF_COUNT_HW_INSTRUCTIONS); }

static volatile int samples;
static void sampled(int signal) {
    (void)signal;
    samples++;
}

static int sampling(void) {
    int event = open_event(PERF_COUNT_HW_CPU_CYCLES, 1000000, 0);
    if (event < 0) return errno == ENOENT ? (say("not supported"), 0) : fail("%s", strerror(errno));
    signal(SIGIO, sampled);
    fcntl(event, F_SETFL, O_ASYNC);
    fcntl(event, F_SETOWN, getpid());
    ioctl(event, PERF_EVENT_IOC_REFRESH, 1 << 20);
    uint64_t limit = 0;
    while (samples < 5 && limit++ < 100000) toil(100000);
    ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
    close(event);
    return samples >= 5 ? 0 : fail("%d samples", samples);
}

int check_pmu(void) {
    return check("pmu cycles", cycles) + check("pmu instructions", instructions) + check("pmu sampling", sampling);
}
