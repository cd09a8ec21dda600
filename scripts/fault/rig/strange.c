/*
 * Becomes a process that is hard to describe: `strange KIND [WORD...]`. Prints "ready" once it is what KIND says (and
 * before that what the campaign has to know), goes on until its standard input ends, and dies with its parent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die_with_parent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return 1;
}

static int stay(void) {
  char byte;
  puts("ready");
  fflush(stdout);
  while (read(0, &byte, 1) > 0 || errno == EINTR) continue;
  return 0;
}

/* Bytes given as hex digits, because some of them cannot be arguments of Node's spawn. */
static char *bytes_of(const char *hex) {
  size_t length = strlen(hex) / 2;
  char *bytes = calloc(length + 1, 1);
  for (size_t i = 0; i < length; i++) {
    unsigned int byte = 0;
    sscanf(hex + 2 * i, "%2x", &byte);
    bytes[i] = (char)byte;
  }
  return bytes;
}

/* COUNT arguments of BYTES bytes, each of the same letter. */
static int many_arguments(int count, size_t bytes) {
  struct rlimit large = {.rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY};
  char **argv = calloc((size_t)count + 3, sizeof *argv);
  char *one = malloc(bytes + 1);
  memset(one, 'x', bytes);
  one[bytes] = 0;
  argv[0] = "strange";
  argv[1] = "stay";
  for (int i = 0; i < count; i++) argv[2 + i] = one;
  setrlimit(RLIMIT_STACK, &large);
  char *nothing[] = {NULL};
  execve("/proc/self/exe", argv, nothing);
  return fail("execve");
}

/* Runs a copy of this program that lies in memory only. */
static int in_memory(const char *name, char *as) {
  char buffer[65536];
  int file = memfd_create(name, 0), self = open("/proc/self/exe", O_RDONLY);
  ssize_t length;
  if (file < 0 || self < 0) return fail("memfd_create");
  while ((length = read(self, buffer, sizeof buffer)) > 0)
    if (write(file, buffer, (size_t)length) != length) return fail("write");
  char *argv[] = {as, "stay", NULL}, *nothing[] = {NULL};
  fexecve(file, argv, nothing);
  return fail("fexecve");
}

/* Calls exec every few milliseconds without ever forking, with another argument each time. */
static int exec_again_and_again(long until_ms, long number) {
  struct timespec now, pause = {.tv_nsec = 2000000};
  char until[32], next[32];
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (now.tv_sec * 1000 + now.tv_nsec / 1000000 >= until_ms) {
    printf("execs %ld\n", number);
    return stay();
  }
  nanosleep(&pause, NULL);
  snprintf(until, sizeof until, "%ld", until_ms);
  snprintf(next, sizeof next, "%ld", number + 1);
  char *argv[] = {"strange", "again", until, next, NULL};
  execve("/proc/self/exe", argv, environ);
  return fail("execve");
}

static int zombie_child(void) {
  pid_t pid = fork();
  if (pid < 0) return fail("fork");
  if (pid == 0) _exit(7);
  siginfo_t info;
  waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
  printf("child %d\n", pid);
  return stay();
}

/* The child is the first process of namespaces of its own. */
static int in_namespaces(void) {
  int parent_is_here[2];
  if (pipe(parent_is_here) != 0) return fail("pipe");
  if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) != 0) return fail("unshare");
  pid_t pid = fork();
  if (pid < 0) return fail("fork");
  if (pid == 0) {
    char byte;
    close(parent_is_here[1]);
    die_with_parent();
    while (read(parent_is_here[0], &byte, 1) > 0) continue;
    _exit(0);
  }
  printf("child %d\n", pid);
  return stay();
}

/* Overwrites its arguments; with no bytes given they are zeros. `all` is the number of bytes that there are. */
static void overwrite_arguments(char **argv, int argc, const char *title) {
  size_t all = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
  size_t length = title == NULL ? 0 : strnlen(title, all);
  memmove(argv[0], title == NULL ? "" : title, length);
  memset(argv[0] + length, 0, all - length);
}

/* A command line of no bytes, as kernel threads have it: the kernel is told where else the arguments are. */
static int no_arguments(void) {
  char line[4096] = {0};
  unsigned long long at[52] = {0};
  int file = open("/proc/self/stat", O_RDONLY), field = 2;
  if (file < 0 || read(file, line, sizeof line - 1) <= 0) return fail("stat");
  close(file);
  char *rest = strrchr(line, ')') + 2;
  for (char *word = strtok(rest, " "); word != NULL && field < 51; word = strtok(NULL, " ")) at[field++] = strtoull(word, NULL, 10);
  struct prctl_mm_map map = {
      .start_code = at[25], .end_code = at[26], .start_data = at[44], .end_data = at[45], .start_brk = at[46],
      .brk = (unsigned long long)sbrk(0), .start_stack = at[27], .arg_start = at[47], .arg_end = at[47],
      .env_start = at[49], .env_end = at[50], .exe_fd = (unsigned int)-1};
  return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0 ? 0 : fail("PR_SET_MM_MAP");
}

static int into_directory(const char *path, int then_remove) {
  if (mkdir(path, 0755) != 0 || chdir(path) != 0) return fail("mkdir");
  if (then_remove && rmdir(path) != 0) return fail("rmdir");
  return 0;
}

int main(int argc, char **argv) {
  const char *kind = argc > 1 ? argv[1] : "";
  die_with_parent();
  if (!strcmp(kind, "stay")) return stay();
  if (!strcmp(kind, "arguments") && argc == 4) return many_arguments(atoi(argv[2]), (size_t)atol(argv[3]));
  if (!strcmp(kind, "again") && argc == 4) return exec_again_and_again(atol(argv[2]), atol(argv[3]));
  if (!strcmp(kind, "memory") && argc == 4) return in_memory(bytes_of(argv[2]), bytes_of(argv[3]));
  if (!strcmp(kind, "zombie")) return zombie_child();
  if (!strcmp(kind, "namespaces")) return in_namespaces();
  if (!strcmp(kind, "name") && argc == 3) prctl(PR_SET_NAME, bytes_of(argv[2]));
  else if (!strcmp(kind, "undumpable")) prctl(PR_SET_DUMPABLE, 0);
  else if (!strcmp(kind, "user") && argc == 4) {
    if (setresuid((uid_t)atoi(argv[2]), (uid_t)atoi(argv[3]), (uid_t)atoi(argv[3])) != 0) return fail("setresuid");
    die_with_parent();
  } else if (!strcmp(kind, "kernel-thread") && argc > 3) {
    prctl(PR_SET_NAME, bytes_of(argv[2]));
    if (strcmp(argv[3], "empty") == 0) {
      if (no_arguments() != 0) return 1;
    } else overwrite_arguments(argv, argc, NULL);
  } else if (!strcmp(kind, "title") && argc > 3) overwrite_arguments(argv, argc, bytes_of(argv[2]));
  else if (!strcmp(kind, "directory") && argc == 4) {
    if (into_directory(bytes_of(argv[2]), strcmp(argv[3], "removed") == 0) != 0) return 1;
  } else {
    fprintf(stderr, "usage: strange KIND [WORD...]\n");
    return 2;
  }
  return stay();
}
