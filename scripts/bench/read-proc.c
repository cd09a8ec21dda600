/*
 * What the files cost that a complete process list is made of: a C program that reads, of every process, the files that
 * procmond's source reads, each by its path below /proc, and keeps what it parsed: stat, status, cmdline, cgroup, loginuid,
 * the links exe, cwd and of seven namespaces, the file behind exe, and the directory's owner. Each line on standard input
 * is one scan, answered by one line of JSON. `fewest` reads what a list of names needs: stat, cmdline, the exe link and
 * the owner. `same` opens the files as procmond's addon does, relative to the process's directory, and stat stays open; but
 * it reads status on every kernel, where the addon asks a pidfd for the real owner if it can. `held` is the least that a
 * reader of every stat can take: each line reads it again
 * through a descriptor that stays open.
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

enum {
  MAX_PROCESSES = 1 << 17,
  STAT_BYTES = 2048,
  TEXT_BYTES = 1 << 27,
  ARGUMENT_BYTES = 131072,
  GROUP_BYTES = 8192,
  PATH_BYTES = 4096,
  ROOM_BYTES = ARGUMENT_BYTES + GROUP_BYTES + 2 * PATH_BYTES,
  NAMESPACES = 7,
};

enum way { FULL, FEWEST, SAME, HELD };

static const char *const namespaces[NAMESPACES] = {"ns/cgroup", "ns/ipc", "ns/mnt", "ns/net", "ns/pid", "ns/user", "ns/uts"};

struct piece {
  char *bytes;
  size_t length;
};

struct process {
  int pid, ppid, session, tty, held, threads;
  unsigned uid, gid, real_uid, real_gid, login_uid;
  char state, name[65];
  unsigned long flags, cpu_ticks, start_ticks, virtual_bytes, rss_pages;
  unsigned long namespaces[NAMESPACES];
  struct stat file;
  struct piece arguments, executable, directory, group;
};

/* Where the files of a process are: below a descriptor, by paths that begin with what is in `path`. */
struct place {
  int directory;
  size_t base;
  char path[64];
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
  into->threads = (int)fields[20];
  into->start_ticks = fields[22];
  into->virtual_bytes = fields[23];
  into->rss_pages = fields[24];
  return 0;
}

static const char *path_of(struct place *place, const char *name) {
  strcpy(place->path + place->base, name);
  return place->path;
}

static ssize_t read_bytes(struct place *place, const char *name, char *into, size_t size) {
  int file = openat(place->directory, path_of(place, name), O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = read(file, into, size);
  close(file);
  return length;
}

/* Keeps what was read in the room that is left. */
static void keep(struct piece *piece, char **room, ssize_t length) {
  piece->bytes = *room;
  piece->length = length > 0 ? (size_t)length : 0;
  *room += piece->length;
}

static unsigned long number_in(const char *text, ssize_t length) {
  unsigned long value = 0;
  for (ssize_t at = 0; at < length; at++) {
    if (text[at] >= '0' && text[at] <= '9') value = value * 10 + (unsigned long)(text[at] - '0');
  }
  return value;
}

static void read_real_owner(struct place *place, struct process *into) {
  char bytes[4096], *line;
  ssize_t length = read_bytes(place, "status", bytes, sizeof bytes - 1);
  bytes[length > 0 ? length : 0] = 0;
  if ((line = strstr(bytes, "\nUid:\t")) != NULL) into->real_uid = (unsigned)strtoul(line + 6, NULL, 10);
  if ((line = strstr(bytes, "\nGid:\t")) != NULL) into->real_gid = (unsigned)strtoul(line + 6, NULL, 10);
}

static void read_surroundings(struct place *place, char **room, struct process *into) {
  char link[64];
  ssize_t length = read_bytes(place, "loginuid", link, sizeof link);
  into->login_uid = (unsigned)number_in(link, length);
  keep(&into->group, room, read_bytes(place, "cgroup", *room, GROUP_BYTES));
  keep(&into->directory, room, readlinkat(place->directory, path_of(place, "cwd"), *room, PATH_BYTES));
  for (int i = 0; i < NAMESPACES; i++) {
    length = readlinkat(place->directory, path_of(place, namespaces[i]), link, sizeof link);
    into->namespaces[i] = number_in(link, length);
  }
}

/* Gives 0, or -1 where the process is gone. */
static int read_stat(struct place *place, int is_held, struct process *into) {
  char bytes[STAT_BYTES + 1];
  int file = openat(place->directory, path_of(place, "stat"), O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t length = pread(file, bytes, STAT_BYTES, 0);
  if (is_held) into->held = file;
  else close(file);
  return length <= 0 ? -1 : parse_stat(bytes, length, into);
}

static int read_files(struct place *place, enum way way, char **room, struct process *into) {
  struct stat status;
  if (read_stat(place, way == SAME || way == HELD, into) != 0) return -1;
  int looked = way == SAME ? fstatat(place->directory, "", &status, AT_EMPTY_PATH) : fstatat(place->directory, path_of(place, ""), &status, 0);
  if (looked != 0) return -1;
  into->uid = status.st_uid;
  into->gid = status.st_gid;
  keep(&into->executable, room, readlinkat(place->directory, path_of(place, "exe"), *room, PATH_BYTES));
  if (way != FEWEST && into->executable.length > 0) fstatat(place->directory, place->path, &into->file, 0);
  keep(&into->arguments, room, read_bytes(place, "cmdline", *room, ARGUMENT_BYTES));
  if (way == FEWEST) return 0;
  read_real_owner(place, into);
  read_surroundings(place, room, into);
  return 0;
}

static int read_process(const char *pid, enum way way, char **room, struct process *into) {
  struct place place = {.directory = proc_directory};
  into->pid = atoi(pid);
  into->held = -1;
  if (way == SAME) {
    place.directory = openat(proc_directory, pid, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place.directory < 0) return -1;
  } else {
    place.base = strlen(pid) + 1;
    memcpy(place.path, pid, place.base - 1);
    place.path[place.base - 1] = '/';
  }
  int result = read_files(&place, way, room, into);
  if (way == SAME) close(place.directory);
  return result;
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
      if (room - text > TEXT_BYTES - ROOM_BYTES) continue;
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
  return strcmp(name, "held") == 0 ? HELD : FULL;
}

int main(int argc, char **argv) {
  enum way way = way_named(argc > 1 ? argv[1] : "full");
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
