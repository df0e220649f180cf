/* What the kernel does for programs: system calls, processes, switches between them, memory on demand. */
#include "bench.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t syscalls(uint64_t scale)
{
	uint64_t same = 0, self = (uint64_t)getpid();
	for (uint64_t i = 0; i < scale * 60000; i++)
		same += (uint64_t)syscall(SYS_getpid) == self;
	return same;
}

uint64_t forkexec(uint64_t scale)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < scale * 80; i++) {
		pid_t child = fork();
		if (child == 0) {
			execl("/proc/self/exe", "bench", "--nop", (char *)0);
			_exit(1);
		}
		int status = 0;
		waitpid(child, &status, 0);
		sum += (uint64_t)WEXITSTATUS(status);
	}
	return sum;
}

/* Two processes that wake each other up. */
uint64_t pingpong(uint64_t scale)
{
	int to[2], from[2];
	uint64_t sum = 0;
	if (pipe(to) || pipe(from))
		return 0;
	pid_t child = fork();
	if (child == 0) {
		uint8_t byte;
		close(to[1]);
		while (read(to[0], &byte, 1) == 1) {
			byte++;
			if (write(from[1], &byte, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	close(to[0]), close(from[1]);
	for (uint64_t i = 0; i < scale * 3000; i++) {
		uint8_t byte = (uint8_t)i;
		if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1)
			return 0;
		sum += byte;
	}
	close(to[1]), close(from[0]);
	waitpid(child, 0, 0);
	return sum;
}

/* Fresh memory touched once a page and given back; then copies on write after a fork. */
uint64_t pgfault(uint64_t scale)
{
	const size_t size = 16 << 20, page = 4096;
	uint64_t sum = 0;
	for (uint64_t n = 0; n < scale * 6; n++) {
		uint8_t *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (memory == MAP_FAILED)
			return 0;
		madvise(memory, size, MADV_NOHUGEPAGE);
		for (size_t at = 0; at < size; at += page)
			memory[at] = (uint8_t)(at >> 12);
		pid_t child = fork();
		if (child == 0) {
			for (size_t at = 0; at < size / 4; at += page)
				memory[at]++;
			_exit(memory[5 * page]);
		}
		int status = 0;
		waitpid(child, &status, 0);
		sum += (uint64_t)WEXITSTATUS(status) + memory[9 * page];
		munmap(memory, size);
	}
	return sum;
}
