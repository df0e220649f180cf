// What debuggers use: single step, hardware breakpoints and watchpoints, through ptrace.
#define _GNU_SOURCE
#include "checks.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef NT_ARM_HW_BREAK
#define NT_ARM_HW_BREAK 0x402
#define NT_ARM_HW_WATCH 0x403
#endif

// As the kernel's struct user_hwdebug_state.
struct hardware {
    uint32_t info, pad;
    struct {
        uint64_t address;
        uint32_t control, pad;
    } slots[16];
};

// The program that is debugged: straight code with every kind of instruction that a step treats in its own way.
extern char track[], track_end[], track_call[], track_out[];
extern void run_track(void);
__asm__(".text\n.p2align 4\n.globl run_track, track, track_end, track_call, track_out\n"
        "run_track:\n"
        "track: mov x8, #172\n"      // getpid
        "  svc #0\n"                 // stepped over as one instruction
        "  nop\n"
        "  adr x9, shared\n"
        "  ldr x10, [x9]\n"
        "  cbz xzr, 1f\n"
        "  brk #1\n"                 // never
        "1: bl track_call\n"
        "track_end: ret x11\n"
        "track_call: add x10, x10, #1\n"
        "track_out: ret\n"
        ".p2align 3\nshared: .quad 0\n");

static volatile uint64_t cells[64] __attribute__((aligned(64)));
static volatile int counted;
__attribute__((noinline)) static void called(int n) { counted += n; }

static pid_t child;

static int wait_for_stop(int signal, siginfo_t *info) {
    int status;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != signal)
        return fail("child status %#x instead of a stop by signal %d", status, signal);
    if (info && ptrace(PTRACE_GETSIGINFO, child, 0, info))
        return fail("no signal information: %s", strerror(errno));
    return 0;
}

static void start(void (*body)(void)) {
    child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        body();
        _exit(7);
    }
    wait_for_stop(SIGSTOP, NULL);
}

static void finish(void) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static uint64_t pc(void) {
    struct user_regs_struct registers;
    struct iovec io = {&registers, sizeof registers};
    if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &io)) return 0;
    return registers.pc;
}

static int resume(int how) { return ptrace(how, child, 0, 0) ? fail("cannot resume: %s", strerror(errno)) : 0; }

static int get(int note, struct hardware *hardware) {
    struct iovec io = {hardware, sizeof *hardware};
    memset(hardware, 0, sizeof *hardware);
    return ptrace(PTRACE_GETREGSET, child, note, &io) ? fail("no hardware registers: %s", strerror(errno)) : 0;
}

// Arms slot 0 with an address and a control word; 0 disarms it.
static int arm(int note, uint64_t address, uint32_t control) {
    struct hardware hardware;
    if (get(note, &hardware)) return 1;
    hardware.slots[0].address = address;
    hardware.slots[0].control = control;
    struct iovec io = {&hardware, offsetof(struct hardware, slots) + sizeof hardware.slots[0]};
    return ptrace(PTRACE_SETREGSET, child, note, &io) ? fail("cannot arm: %s", strerror(errno)) : 0;
}

static int step_everything(void) {
    start(run_track);
    siginfo_t info;
    uint64_t at = pc(), before = 0;
    int steps = 0, in_track = 0, pairs = 0;
    for (; steps < 100000 && !(in_track && at == (uint64_t)track_end); steps++) {
        before = at;
        if (resume(PTRACE_SINGLESTEP) || wait_for_stop(SIGTRAP, &info)) return 1;
        at = pc();
        // The kernel reports a step over a system call twice: when the call returns, as SI_USER, and then as a step.
        if (info.si_code == SI_USER) {
            if (resume(PTRACE_SINGLESTEP) || wait_for_stop(SIGTRAP, &info)) return 1;
            if (pc() != at) return fail("a step that was over goes from %#lx to %#lx", (long)at, (long)pc());
        }
        if (info.si_code != TRAP_TRACE && info.si_code != TRAP_BRKPT) return fail("a step gives code %d", info.si_code);
        if (before == (uint64_t)track) in_track = 1;
        if (in_track) {
            pairs++;
            uint64_t next = before + 4;
            if (before == (uint64_t)track + 20) next = before + 8;
            if (before == (uint64_t)track + 28) next = (uint64_t)track_call;
            if (before == (uint64_t)track_out) next = (uint64_t)track_end;
            if (at != next) return fail("step %d goes from %#lx to %#lx", pairs, (long)before, (long)at);
        }
    }
    finish();
    if (!in_track || pairs != 9) return fail("%d steps of the track seen, 9 wanted", pairs);
    return 0;
}

static void stop_by_brk(void) { __asm__ volatile("brk #7"); }

static int stop_at_brk(void) {
    siginfo_t info;
    start(stop_by_brk);
    if (resume(PTRACE_CONT) || wait_for_stop(SIGTRAP, &info)) return 1;
    finish();
    return info.si_code == TRAP_BRKPT ? 0 : fail("brk gives code %d", info.si_code);
}

static void call_often(void) {
    for (int i = 1; i <= 5; i++) called(i);
}

static int break_in_hardware(void) {
    siginfo_t info;
    struct hardware hardware;
    start(call_often);
    if (get(NT_ARM_HW_BREAK, &hardware)) return 1;
    say("%u breakpoints, debug architecture %u", hardware.info & 0xFF, hardware.info >> 8 & 0xFF);
    if ((hardware.info & 0xFF) < 2) return fail("no breakpoints");
    // Four bytes, execute, EL0.
    uint32_t control = 0xF << 5 | 2 << 1 | 1;
    if (arm(NT_ARM_HW_BREAK, (uint64_t)called, control)) return 1;
    for (int i = 0; i < 5; i++) {
        if (resume(PTRACE_CONT) || wait_for_stop(SIGTRAP, &info)) return 1;
        if (info.si_code != TRAP_HWBKPT || pc() != (uint64_t)called || info.si_addr != (void *)called)
            return fail("hit %d: code %d at %#lx", i, info.si_code, (long)pc());
        // The instruction is stepped over with the breakpoint away, as debuggers do.
        if (arm(NT_ARM_HW_BREAK, 0, 0) || resume(PTRACE_SINGLESTEP) || wait_for_stop(SIGTRAP, &info)) return 1;
        if (arm(NT_ARM_HW_BREAK, (uint64_t)called, control)) return 1;
    }
    int status;
    if (resume(PTRACE_CONT)) return 1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 0 : fail("child status %#x at the end", status);
}

static int atomics(void) { return (getauxval(AT_HWCAP) & HWCAP_ATOMICS) != 0; }

static void touch_cells(void) {
    volatile uint8_t *bytes = (volatile uint8_t *)cells;
    for (int i = 0; i < 4; i++) {
        cells[7] = i;              // next to the watched one
        cells[9] = i;
        counted += cells[8];       // reads it
        cells[8] = i;              // writes it
        bytes[67] = i;             // writes one of its bytes
        // Not a pair of exclusives, which no debugger gets through: each stop loses the reservation.
        if (atomics())
            __asm__ volatile(".arch_extension lse\nldaddal %x1, %x1, [%0]" : : "r"(&cells[8]), "r"(1L) : "memory");
        else
            cells[8] = counted += cells[8];
    }
}

// Counts the hits of a watchpoint on bytes of cell 8 until the child is done.
static int watch(uint32_t select, uint32_t direction, int wanted, uint64_t first) {
    siginfo_t info;
    uint64_t at = (uint64_t)&cells[8];
    uint32_t control = select << 5 | direction << 3 | 2 << 1 | 1;
    start(touch_cells);
    if (arm(NT_ARM_HW_WATCH, at, control)) return 1;
    for (int hits = 0;; hits++) {
        int status;
        if (resume(PTRACE_CONT)) return 1;
        waitpid(child, &status, 0);
        if (WIFEXITED(status))
            return hits == wanted ? 0 : fail("select %#x, direction %u: %d hits, %d wanted", select, direction, hits, wanted);
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_GETSIGINFO, child, 0, &info))
            return fail("child status %#x", status);
        uint64_t where = (uint64_t)info.si_addr;
        if (info.si_code != TRAP_HWBKPT || where < at + first || where >= at + 8)
            return fail("code %d at %#lx for a watchpoint at %#lx", info.si_code, (long)where, (long)at);
        if (arm(NT_ARM_HW_WATCH, 0, 0) || resume(PTRACE_SINGLESTEP) || wait_for_stop(SIGTRAP, &info)) return 1;
        if (arm(NT_ARM_HW_WATCH, at, control)) return 1;
    }
}

static int watch_in_hardware(void) {
    struct hardware hardware;
    start(touch_cells);
    if (get(NT_ARM_HW_WATCH, &hardware)) return 1;
    say("%u watchpoints", hardware.info & 0xFF);
    finish();
    if ((hardware.info & 0xFF) < 2) return fail("no watchpoints");
    // A round stores to the cell, to its byte 3, and adds; it loads, and adds.
    return watch(0xFF, 2, 12, 0) || watch(0xFF, 1, 8, 0) || watch(0xFF, 3, atomics() ? 16 : 20, 0) || watch(8, 2, 12, 0)
        || watch(4, 1, 8, 0);
}

int check_debug(void) {
    return check("step", step_everything) + check("brk", stop_at_brk) + check("breakpoint", break_in_hardware)
        + check("watchpoint", watch_in_hardware);
}
