/* Runs single A64 instructions on given states, under qemu-aarch64 in user mode. All of it happens in a signal handler:
 * a request read from standard input becomes the context that the handler returns to, and the trap behind the
 * instruction brings the context after it, which goes to standard output. */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { CODE = 0x40000000, WINDOW = 0x40001000, WINDOW_BYTES = 512 };

/* The layout of State::to_bytes; `word` is the instruction in a request and the signal in a reply. */
struct state {
    uint64_t x[31], sp, pc;
    uint32_t nzcv, fpcr, fpsr, word;
    uint64_t v[64];
    uint8_t memory[WINDOW_BYTES];
};

static struct state state;
static int started;

static void transfer(int out) {
    uint8_t *at = (uint8_t *)&state;
    size_t left = sizeof state;
    while (left) {
        ssize_t n = out ? write(1, at, left) : read(0, at, left);
        if (n <= 0)
            _exit(out ? 1 : 0);
        at += n;
        left -= n;
    }
}

static struct fpsimd_context *vectors(ucontext_t *uc) {
    struct _aarch64_ctx *c = (struct _aarch64_ctx *)uc->uc_mcontext.__reserved;
    while (c->magic != FPSIMD_MAGIC) {
        if (c->size == 0)
            _exit(2);
        c = (struct _aarch64_ctx *)((uint8_t *)c + c->size);
    }
    return (struct fpsimd_context *)c;
}

static void handler(int sig, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    mcontext_t *m = &uc->uc_mcontext;
    struct fpsimd_context *f = vectors(uc);
    (void)info;
    if (started) {
        memcpy(state.x, m->regs, sizeof state.x);
        state.sp = m->sp;
        state.pc = m->pc;
        state.nzcv = m->pstate & 0xF0000000;
        state.fpcr = f->fpcr;
        state.fpsr = f->fpsr;
        state.word = sig;
        memcpy(state.v, f->vregs, sizeof state.v);
        memcpy(state.memory, (void *)(uintptr_t)WINDOW, WINDOW_BYTES);
        transfer(1);
    }
    started = 1;
    transfer(0);
    memcpy(m->regs, state.x, sizeof state.x);
    m->sp = state.sp;
    m->pc = state.pc;
    m->pstate = state.nzcv;
    f->fpcr = state.fpcr;
    f->fpsr = state.fpsr;
    memcpy(f->vregs, state.v, sizeof state.v);
    memcpy((void *)(uintptr_t)WINDOW, state.memory, WINDOW_BYTES);
    ((volatile uint32_t *)(uintptr_t)CODE)[0] = state.word;
    /* BRK #0, every time: a stray store may have hit it. */
    ((volatile uint32_t *)(uintptr_t)CODE)[1] = 0xD4200000;
    __builtin___clear_cache((char *)(uintptr_t)CODE, (char *)(uintptr_t)CODE + 8);
}

int main(void) {
    static uint8_t stack[1 << 16] __attribute__((aligned(16)));
    static const int signals[] = {SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE};
    stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (mmap((void *)(uintptr_t)CODE, 0x2000, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        return 3;
    if (sigaltstack(&s, 0))
        return 4;
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], &a, 0))
            return 5;
    __asm__ volatile("brk #0");
    return 6;
}
