/*
 * What the files cost that a process list is made of: a C program that reads, of every process, stat, status, cmdline
 * and the exe link, as ps and psutil do, and keeps what it parsed. Each line on standard input is one scan, answered by
 * one line of JSON. `fewest` leaves status out: the owner is that of the directory. `same` makes the calls that procmond's
 * source makes of a process it never saw: as `fewest`, stat stays open, and the executable itself is looked at. `held` is
 * the least that a reader of every stat can take: each line reads it again through a descriptor that stays open.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PROCESSES = 1 << 17, STAT_BYTES = 2048, TEXT_BYTES = 1 << 26, ARGUMENT_BYTES = 131072, PATH_BYTES = 4096 };

enum way { STATUS, FEWEST, SAME, HELD };

struct process {
  int pid, ppid, session, tty, held;
  unsigned uid, gid;
  char state, name[65];
  unsigned long flags, cpu_ticks, start_ticks, virtual_bytes, rss_pages, device, inode, links;
  char *arguments, *executable;
  size_t arguments_length, executable_length;
};

struct listed {
  unsigned long inode;
  long offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

static struct process *processes;
static char *text;
static int proc_directory;

static double ms_of(struct timeval value) { return (double)value.tv_sec * 1e3 + (double)value.tv_usec / 1e3; }

static double cpu_ms(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
}

static double wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Fields 3 to 24 of proc_pid_stat(5), after the name, which ends at the last parenthesis. */
static int parse_stat(char *bytes, ssize_t length, struct process *into) {
  bytes[length] = 0;
  char *open = memchr(bytes, '(', (size_t)length), *close = memrchr(bytes, ')', (size_t)length);
  if (open == NULL || close == NULL || close - open > 65) return -1;
  size_t name = (size_t)(close - open - 1);
  memcpy(into->name, open + 1, name);
  into->name[name] = 0;
  into->state = close[2];
  unsigned long fields[25] = {0}, value = 0;
  int field = 4;
  for (char *at = close + 4; field < 25 && *at != 0; at++) {
    if (*at >= '0' && *at <= '9') value = value * 10 + (unsigned long)(*at - '0');
    else if (*at != '-') {
      fields[field++] = value;
      value = 0;
    }
  }
  into->ppid = (int)fields[4];
  into->session = (int)fields[6];
  into->tty = (int)fields[7];
  into->flags = fields[9];
  into->cpu_ticks = fields[14] + fields[15];
  into->start_ticks = fields[22];
  into->virtual_bytes = fields[23];
  into->rss_pages = fields[24];
  return 0;
}

static int read_owner(char *path, size_t base, int from_status, struct process *into) {
  struct stat status;
  char bytes[4096], *line;
  if (!from_status) {
    path[base] = 0;
    if (fstatat(proc_directory, path, &status, 0) != 0) return -1;
    into->uid = status.st_uid;
    into->gid = status.st_gid;
    return 0;
  }
  strcpy(path + base, "/status");
  int file = openat(proc_directory, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = read(file, bytes, sizeof bytes - 1);
  close(file);
  bytes[length > 0 ? length : 0] = 0;
  if ((line = strstr(bytes, "\nUid:")) == NULL || sscanf(line, "\nUid: %*u %u", &into->uid) != 1) return -1;
  if ((line = strstr(bytes, "\nGid:")) == NULL || sscanf(line, "\nGid: %*u %u", &into->gid) != 1) return -1;
  return 0;
}

static int read_process(const char *pid, enum way way, char **room, struct process *into) {
  char path[32], bytes[STAT_BYTES + 1];
  struct stat status;
  size_t base = strlen(pid);
  memcpy(path, pid, base);
  into->pid = atoi(pid);
  into->held = -1;
  strcpy(path + base, "/stat");
  int file = openat(proc_directory, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = pread(file, bytes, STAT_BYTES, 0);
  if (way == SAME || way == HELD) into->held = file;
  else close(file);
  if (length <= 0 || parse_stat(bytes, length, into) != 0) return -1;
  if (read_owner(path, base, way == STATUS, into) != 0) return -1;
  strcpy(path + base, "/exe");
  ssize_t link = readlinkat(proc_directory, path, *room, PATH_BYTES);
  into->executable = *room;
  into->executable_length = link > 0 ? (size_t)link : 0;
  *room += into->executable_length;
  if (way == SAME && link > 0 && fstatat(proc_directory, path, &status, 0) == 0) {
    into->device = status.st_dev;
    into->inode = status.st_ino;
    into->links = status.st_nlink;
  }
  strcpy(path + base, "/cmdline");
  file = openat(proc_directory, path, O_RDONLY | O_CLOEXEC);
  into->arguments = *room;
  into->arguments_length = 0;
  if (file >= 0) {
    ssize_t arguments = read(file, *room, ARGUMENT_BYTES);
    close(file);
    into->arguments_length = arguments > 0 ? (size_t)arguments : 0;
    *room += into->arguments_length;
  }
  return 0;
}

static int scan(enum way way) {
  static char entries[1 << 16];
  char *room = text;
  int count = 0;
  long length;
  lseek(proc_directory, 0, SEEK_SET);
  while ((length = syscall(SYS_getdents64, proc_directory, entries, sizeof entries)) > 0) {
    for (long at = 0; at < length;) {
      struct listed *entry = (struct listed *)(entries + at);
      at += entry->length;
      if (entry->name[0] < '1' || entry->name[0] > '9' || count == MAX_PROCESSES) continue;
      if (room - text > TEXT_BYTES - ARGUMENT_BYTES - PATH_BYTES) continue;
      struct process *into = &processes[count];
      if (read_process(entry->name, way, &room, into) == 0) count++;
      else if (into->held >= 0) close(into->held);
    }
  }
  return count;
}

static int scan_held(int count) {
  char bytes[STAT_BYTES + 1];
  int seen = 0;
  for (int i = 0; i < count; i++) {
    ssize_t length = pread(processes[i].held, bytes, STAT_BYTES, 0);
    if (length > 0 && parse_stat(bytes, length, &processes[i]) == 0) seen++;
  }
  return seen;
}

static void close_held(int count) {
  for (int i = 0; i < count; i++) {
    if (processes[i].held >= 0) close(processes[i].held);
  }
}

static enum way way_named(const char *name) {
  if (strcmp(name, "same") == 0) return SAME;
  if (strcmp(name, "fewest") == 0) return FEWEST;
  return strcmp(name, "held") == 0 ? HELD : STATUS;
}

int main(int argc, char **argv) {
  enum way way = way_named(argc > 1 ? argv[1] : "status");
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  processes = calloc(MAX_PROCESSES, sizeof *processes);
  text = malloc(TEXT_BYTES);
  proc_directory = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (processes == NULL || text == NULL || proc_directory < 0) return 1;
  int held = way == HELD ? scan(way) : 0;
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    double cpu = cpu_ms(), wall = wall_ms();
    int count = way == HELD ? scan_held(held) : scan(way);
    printf("{\"cpuMs\":%.3f,\"wallMs\":%.3f,\"count\":%d}\n", cpu_ms() - cpu, wall_ms() - wall, count);
    fflush(stdout);
    if (way == SAME) close_held(count);
  }
  return 0;
}
