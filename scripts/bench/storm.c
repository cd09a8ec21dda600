/*
 * Starts RATE short lives a second for SECONDS, each an exec of this program with arguments of its own, which lives for
 * MILLISECONDS: `storm RATE SECONDS MILLISECONDS TAG`. Prints how many there were and what it took:
 * {"made":N,"failed":N,"seconds":S}. It waits for all of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sleep_seconds(double seconds) {
  struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  nanosleep(&pause, NULL);
}

static int start_one(char *program, long number, char *milliseconds, char *tag) {
  char id[32];
  snprintf(id, sizeof id, "--number=%ld", number);
  char *arguments[] = {program, "live", milliseconds, tag, id, NULL};
  char *environment[] = {NULL};
  pid_t pid = vfork();
  if (pid == 0) {
    execve(program, arguments, environment);
    _exit(127);
  }
  return pid > 0;
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "live") == 0) {
    sleep_seconds(atof(argv[2]) / 1000);
    return 0;
  }
  if (argc != 5) {
    fprintf(stderr, "usage: storm RATE SECONDS MILLISECONDS TAG\n");
    return 2;
  }
  double rate = atof(argv[1]);
  double seconds = atof(argv[2]);
  double started = now_seconds();
  long made = 0, failed = 0;
  while (now_seconds() - started < seconds) {
    if (start_one(argv[0], made + failed, argv[3], argv[4])) made++;
    else failed++;
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    double left = started + (double)(made + failed) / rate - now_seconds();
    if (left > 0) sleep_seconds(left);
  }
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  printf("{\"made\":%ld,\"failed\":%ld,\"seconds\":%.3f}\n", made, failed, now_seconds() - started);
  return 0;
}
