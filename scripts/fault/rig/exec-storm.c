/*
 * A storm of short lives: `exec-storm SECONDS RATE WORKERS [MILLISECONDS]`. WORKERS processes together fork and exec RATE
 * times a second, evenly, each life being this program once more, which ends at once or after MILLISECONDS. Says "ready",
 * begins when a line comes, and prints "made N failed M" at the end: N execs that succeeded. SIGTERM brings the end sooner.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct counts {
  long made, failed;
};

/* Shared with the workers. */
static volatile sig_atomic_t *is_over;

static void end_early(int signal) {
  (void)signal;
  *is_over = 1;
}

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* True where the exec succeeded: the life ends with 0 then. */
static int one_life(const char *program, char *milliseconds, int worker, long number) {
  char id[32], count[32];
  snprintf(id, sizeof id, "%d", worker);
  snprintf(count, sizeof count, "%ld", number);
  char *argv[] = {"exec-storm", "life", milliseconds, id, count, NULL}, *nothing[] = {NULL};
  int status = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    execve(program, argv, nothing);
    _exit(127);
  }
  if (pid < 0) return 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void work(const char *program, char *milliseconds, int worker, double seconds, double rate, struct counts *counts) {
  double started = now_seconds();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (long number = 0;; number++) {
    double due = started + (double)number / rate, now = now_seconds();
    if (now - started >= seconds || *is_over) break;
    if (due > now) {
      struct timespec pause = {.tv_nsec = (long)((due - now) * 1e9)};
      if (due - now < 0.9) nanosleep(&pause, NULL);
    }
    if (one_life(program, milliseconds, worker, number)) counts->made++;
    else counts->failed++;
  }
  _exit(0);
}

int main(int argc, char **argv) {
  char line[16];
  if (argc > 2 && strcmp(argv[1], "life") == 0) return usleep((useconds_t)atoi(argv[2]) * 1000);
  int workers = argc == 4 || argc == 5 ? atoi(argv[3]) : 0;
  char *milliseconds = argc == 5 ? argv[4] : "0";
  if (workers < 1 || workers > 64) {
    fprintf(stderr, "usage: exec-storm SECONDS RATE WORKERS [MILLISECONDS]\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct counts *counts = mmap(NULL, sizeof *counts * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  is_over = mmap(NULL, sizeof *is_over, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  signal(SIGTERM, end_early);
  puts("ready");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) return 0;
  for (int worker = 0; worker < workers; worker++)
    if (fork() == 0) work(argv[0], milliseconds, worker, atof(argv[1]), atof(argv[2]) / workers, &counts[worker]);
  while (wait(NULL) > 0 || errno == EINTR) continue;
  struct counts all = {0, 0};
  for (int worker = 0; worker < workers; worker++) {
    all.made += counts[worker].made;
    all.failed += counts[worker].failed;
  }
  printf("made %ld failed %ld\n", all.made, all.failed);
  return 0;
}
