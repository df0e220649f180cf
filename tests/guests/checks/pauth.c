// Pointer authentication with the keys that the kernel gives a process.
#define _GNU_SOURCE
#include "checks.h"

#include <signal.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef HWCAP_PACA
#define HWCAP_PACA (1 << 30)
#endif

static int here(void) { return (getauxval(AT_HWCAP) & HWCAP_PACA) != 0; }

static uint64_t sign(uint64_t p, uint64_t m) {
    __asm__(".arch_extension pauth\npacia %0, %1" : "+r"(p) : "r"(m));
    return p;
}

static uint64_t authenticate(uint64_t p, uint64_t m) {
    __asm__ volatile(".arch_extension pauth\nautia %0, %1" : "+r"(p) : "r"(m));
    return p;
}

static uint64_t strip(uint64_t p) {
    __asm__(".arch_extension pauth\nxpaci %0" : "+r"(p));
    return p;
}

static int round_trip(void) {
    if (!here()) return say("absent"), 0;
    int codes = 0;
    for (uint64_t m = 0; m < 1000; m++) {
        uint64_t p = (uint64_t)&round_trip + 16 * m, signed_p = sign(p, m);
        codes += signed_p != p;
        if (strip(signed_p) != p || authenticate(signed_p, m) != p)
            return fail("%#lx signed as %#lx", (long)p, (long)signed_p);
    }
    return codes > 900 ? 0 : fail("only %d of 1000 codes are there", codes);
}

// A wrong code: an illegal instruction where authentication faults, else a pointer that is not the one.
static int refusal(void) {
    if (!here()) return say("absent"), 0;
    uint64_t p = (uint64_t)&refusal, signed_p = sign(p, 1) ^ 1ull << 50;
    pid_t child = fork();
    if (child == 0) _exit(authenticate(signed_p, 1) != p ? 3 : 4);
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGILL) return say("faults"), 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) return say("spoils the pointer"), 0;
    return fail("child status %#x", status);
}

int check_pauth(void) { return check("pauth", round_trip) + check("pauth refusal", refusal); }
