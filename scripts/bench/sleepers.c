/*
 * Makes N sleeping processes with arguments of their own, for benchmarks: `sleepers N [PER_SECOND]`. Prints "ready N"
 * when all of them sleep, and ends them by pid when its standard input ends or a signal asks. They also die with it,
 * however it dies. With PER_SECOND so many of the oldest end in each second and as many others start, evenly; at the
 * end it says how many: "ended N replaced M".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So many start at a time: enough to keep the cores busy, few enough to keep the machine usable. */
enum { BATCH = 200, REPORT_FD = 3 };

static volatile sig_atomic_t asked_to_end;

static void ask_to_end(int signal_number) {
  (void)signal_number;
  asked_to_end = 1;
}

/* What each of them is after exec: says that it is there, then waits for ever. */
static int sleep_for_ever(const char *name) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, name);
  if (write(REPORT_FD, "s", 1) != 1) return 1;
  close(REPORT_FD);
  for (;;) pause();
}

static void become_sleeper(const char *program, int number, int report) {
  char name[16], id[32], config[64];
  snprintf(name, sizeof name, "worker-%d", number % 1000);
  snprintf(id, sizeof id, "--id=%07d", number);
  snprintf(config, sizeof config, "--config=/etc/workers/worker-%d.conf", number);
  if (report != REPORT_FD) {
    dup2(report, REPORT_FD);
    close(report);
  }
  int nothing = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; fd++) dup2(nothing, fd);
  if (nothing > 2 && nothing != REPORT_FD) close(nothing);
  char *arguments[] = {(char *)program, "asleep", name, id, "--role=worker", config, NULL};
  execv(program, arguments);
  _exit(1);
}

static void end_all(const pid_t *pids, int count) {
  for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
  for (int i = 0; i < count; i++) waitpid(pids[i], NULL, 0);
}

/* Starts one batch and waits until each of it sleeps; gives how many there are now, and less than `until` where one could not be made. */
static int start_batch(const char *program, pid_t *pids, int started, int until, const int ends[2]) {
  for (; started < until; started++) {
    pid_t pid = fork();
    if (pid < 0) return started;
    if (pid == 0) {
      close(ends[0]);
      become_sleeper(program, started, ends[1]);
    }
    pids[started] = pid;
  }
  return started;
}

static int wait_for_reports(int report, int count) {
  char bytes[BATCH];
  while (count > 0 && !asked_to_end) {
    ssize_t length = read(report, bytes, sizeof bytes);
    if (length == 0 || (length < 0 && errno != EINTR)) return -1;
    if (length > 0) count -= (int)length;
  }
  return 0;
}

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Ends the process in one slot and starts another there. False where none could be started. */
static int replace_one(const char *program, pid_t *slot, int number, const int ends[2]) {
  kill(*slot, SIGKILL);
  waitpid(*slot, NULL, 0);
  *slot = fork();
  if (*slot < 0) return 0;
  if (*slot == 0) {
    close(ends[0]);
    become_sleeper(program, number, ends[1]);
  }
  char byte;
  while (read(ends[0], &byte, 1) < 0 && errno == EINTR && !asked_to_end) continue;
  return 1;
}

/* Waits for the end of standard input or a signal; meanwhile replaces `rate` processes a second. Gives how many. */
static long wait_for_end(const char *program, pid_t *pids, int count, double rate, const int ends[2]) {
  long replaced = 0;
  double started = now_seconds();
  while (!asked_to_end) {
    double due = rate > 0 ? started + (double)(replaced + 1) / rate : 0;
    double left = due - now_seconds();
    struct pollfd input = {.fd = 0, .events = POLLIN};
    int ready = poll(&input, 1, rate <= 0 ? -1 : left > 0 ? (int)(left * 1000) + 1 : 0);
    if (ready > 0) {
      char byte;
      ssize_t length = read(0, &byte, 1);
      if (length == 0 || (length < 0 && errno != EINTR)) break;
    }
    if (rate <= 0 || now_seconds() < due) continue;
    if (!replace_one(program, &pids[replaced % count], count + (int)replaced, ends)) break;
    replaced++;
  }
  return replaced;
}

int main(int argc, char **argv) {
  if (argc > 3 && strcmp(argv[1], "asleep") == 0) return sleep_for_ever(argv[2]);
  int count = argc == 2 || argc == 3 ? atoi(argv[1]) : 0;
  double rate = argc == 3 ? atof(argv[2]) : 0;
  pid_t *pids = calloc(count > 0 ? (size_t)count : 1, sizeof *pids);
  int ends[2];
  if (count <= 0 || pids == NULL || pipe(ends) != 0) {
    fprintf(stderr, "usage: sleepers N [PER_SECOND]\n");
    return 2;
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  struct sigaction action = {.sa_handler = ask_to_end};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  int started = 0;
  while (started < count && !asked_to_end) {
    int before = started;
    int until = started + BATCH < count ? started + BATCH : count;
    started = start_batch(argv[0], pids, started, until, ends);
    int failure = started < until ? errno : 0;
    if (wait_for_reports(ends[0], started - before) != 0 && failure == 0) failure = ECHILD;
    if (failure == 0) continue;
    printf("failed %d %s\n", started, strerror(failure));
    end_all(pids, started);
    return 1;
  }
  printf("ready %d\n", started);
  fflush(stdout);
  long replaced = wait_for_end(argv[0], pids, started, rate, ends);
  end_all(pids, started);
  printf("ended %d replaced %ld\n", started, replaced);
  return 0;
}
