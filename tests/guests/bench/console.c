/* Output on the console, waited for until it has left. */
#include "bench.h"
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

uint64_t console(uint64_t scale)
{
	char line[72];
	uint64_t sum = 0;
	memset(line, '.', sizeof line);
	memcpy(line, "console", 7);
	line[sizeof line - 1] = '\n';
	fflush(stdout);
	for (uint64_t i = 0; i < scale * 1000; i++) {
		for (size_t done = 0; done < sizeof line;) {
			ssize_t n = write(1, line + done, sizeof line - done);
			if (n <= 0)
				return 0;
			done += (size_t)n;
		}
		sum += sizeof line;
	}
	tcdrain(1);
	return sum;
}
