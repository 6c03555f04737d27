// SPDX-License-Identifier: GPL-2.0
/*
 * packets ADDRESS N: send exactly N UDP packets to port 9 of ADDRESS; 0: until SIGTERM, then say how many.
 *
 * Exit status: 0 all were sent, 1 one could not be, 2 bad usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	unsigned long wanted, sent = 0;
	int fd;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fputs("usage: packets ADDRESS N\n", stderr);
		return 2;
	}
	wanted = strtoul(argv[2], NULL, 10);
	signal(SIGTERM, on_signal);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0)
		return 1;
	while (!stop && (!wanted || sent < wanted)) {
		if (sendto(fd, "hotproof", 8, 0, (struct sockaddr *)&to, sizeof(to)) != 8) {
			perror("packets: sendto");
			return 1;
		}
		sent++;
	}
	close(fd);
	if (!wanted)
		printf("%lu\n", sent);
	return 0;
}
