/*
 * Gives the same pid to one process after the other, in a pid namespace of its own: `reuse PID PREFIX`. Each line
 * "SERIAL MS CHILD EXEC" of standard input is a life of MS milliseconds under that pid, with a child that outlives it by
 * a second where CHILD is 1, and with an exec where EXEC is 1. It is named rPREFIX-SERIAL, the child cPREFIX-SERIAL.
 * Prints "life SERIAL START DIED CHILD CHILDSTART": clock ticks after boot, milliseconds since 1970, and 0 for no child;
 * nothing after SERIAL where somebody else got the pid again and again.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What others start meanwhile gets pids from ELSEWHERE on. */
enum { ATTEMPTS = 200, OUTLIVES_SECONDS = 1, ELSEWHERE = 25000 };

struct known {
  pid_t child;
  unsigned long long child_start;
};

static void sleep_ms(long ms) {
  struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
}

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static unsigned long long start_of(pid_t pid) {
  char path[64], line[2048] = {0};
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fread(line, 1, sizeof line - 1, file) == 0) return 0;
  fclose(file);
  char *rest = strrchr(line, ')');
  unsigned long long start = 0;
  int field = 2;
  for (char *word = strtok(rest + 1, " "); word != NULL; word = strtok(NULL, " "))
    if (++field == 22) start = strtoull(word, NULL, 10);
  return start;
}

static int next_pid(pid_t pid) {
  FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "w");
  if (file == NULL) return -1;
  fprintf(file, "%d", pid - 1);
  return fclose(file);
}

/* What the one with the pid does until it is over. */
static void live(const char *prefix, const char *serial, long ms, int has_child, struct known *known) {
  char name[80];
  snprintf(name, sizeof name, "r%s-%s", prefix, serial);
  prctl(PR_SET_NAME, name);
  if (has_child) {
    pid_t child = fork();
    if (child == 0) {
      name[0] = 'c';
      prctl(PR_SET_NAME, name);
      sleep_ms(ms + OUTLIVES_SECONDS * 1000);
      _exit(0);
    }
    if (known != NULL && child > 0) {
      known->child_start = start_of(child);
      known->child = child;
    }
  }
  sleep_ms(ms);
  _exit(0);
}

static void begin(const char *prefix, const char *serial, const char *ms, int has_child, int calls_exec, struct known *known) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  /* A child of one that called exec tells nobody where it is: what was shared is gone. */
  if (!calls_exec) live(prefix, serial, atol(ms), has_child, known);
  char *argv[] = {"reuse", "live", (char *)prefix, (char *)serial, (char *)ms, NULL}, *nothing[] = {NULL};
  execve("/proc/self/exe", argv, nothing);
  _exit(1);
}

static int one_life(pid_t pid, const char *prefix, char *serial, char *ms, int has_child, int calls_exec, struct known *known) {
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    memset(known, 0, sizeof *known);
    if (next_pid(pid) != 0) return -1;
    pid_t got = fork();
    if (got == 0) {
      if (getpid() != pid) _exit(1);
      begin(prefix, serial, ms, has_child, calls_exec, known);
    }
    next_pid(ELSEWHERE);
    if (got != pid) {
      waitpid(got, NULL, 0);
      sleep_ms(2);
      continue;
    }
    unsigned long long start = start_of(pid);
    waitpid(pid, NULL, 0);
    printf("life %s %llu %lld %d %llu\n", serial, start, now_ms(), known->child, known->child_start);
    return 0;
  }
  printf("life %s \n", serial);
  return 0;
}

int main(int argc, char **argv) {
  char line[128], serial[32], ms[32];
  int has_child, calls_exec;
  if (argc == 5 && strcmp(argv[1], "live") == 0) live(argv[2], argv[3], atol(argv[4]), 0, NULL);
  if (argc != 3) {
    fprintf(stderr, "usage: reuse PID PREFIX\n");
    return 2;
  }
  struct known *known = mmap(NULL, sizeof *known, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (next_pid(ELSEWHERE) != 0) {
    perror("ns_last_pid");
    return 1;
  }
  puts("ready");
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "%31s %31s %d %d", serial, ms, &has_child, &calls_exec) != 4) return 2;
    if (one_life((pid_t)atoi(argv[1]), argv[2], serial, ms, has_child, calls_exec, known) != 0) return 1;
  }
  return 0;
}
