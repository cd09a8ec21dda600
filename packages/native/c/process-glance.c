/*
 * One look at a process whose exec was just told, quick enough for lives of a few milliseconds. Whatever is gone by
 * then is left out of the record.
 */
#include "process-glance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_NAME 64

/* Reads a file of the process from its start. -1 where that fails, as it does when the process is gone. */
static ssize_t read_file(int directory, const char *name, void *bytes, size_t capacity) {
  int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, bytes, capacity);
  close(fd);
  return length;
}

/*
 * Reads the name, field 4 (ppid) and field 22 (starttime) of a stat line. The name may hold anything and ends at the
 * last ')'.
 */
static bool parse_stat(char *line, size_t length, struct process_record *record, const char **name) {
  line[length] = '\0';
  char *open = memchr(line, '(', length);
  char *close = memrchr(line, ')', length);
  if (open == NULL || close == NULL || close < open || close - open - 1 > LONGEST_NAME) return false;
  char *at = close + 1;
  for (int field = 3; field <= 22; field++) {
    at = strchr(at, ' ');
    if (at == NULL) return false;
    at++;
    if (field == 4) record->ppid = (int32_t)strtol(at, NULL, 10);
    if (field == 22) record->start_ticks = strtoull(at, NULL, 10);
  }
  *name = open + 1;
  record->name_length = (uint16_t)(close - open - 1);
  record->known |= KNOWN_STATUS;
  return true;
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Whether a process began after the event: then the pid has been given to another one since. Start times go by ticks. */
static bool began_after(const struct process_glance *glance, const struct process_record *record) {
  uint64_t asleep_ns = nanoseconds(CLOCK_BOOTTIME) - nanoseconds(CLOCK_MONOTONIC);
  return record->start_ticks * glance->tick_ns > record->time_ns + asleep_ns + glance->tick_ns;
}

const char *look_at_process(struct process_glance *glance, struct process_record *record) {
  const char *name = "";
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", record->pid);
  /* All through one descriptor, which stays with this process when its pid is given on. */
  int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return name;
  /*
   * The arguments first: they go with the memory, the rest stays until the parent has waited. stat last: of a process
   * that is gone the kernel names root as the owner, and only who still has a stat line was there a moment before.
   */
  ssize_t argv_length = read_file(directory, "cmdline", glance->argv, glance->argv_limit);
  ssize_t exe_length = readlinkat(directory, "exe", glance->exe, sizeof glance->exe);
  struct statx owner;
  bool has_owner = syscall(SYS_statx, directory, "", AT_EMPTY_PATH, STATX_UID | STATX_GID, &owner) == 0;
  ssize_t stat_length = read_file(directory, "stat", glance->stat, sizeof glance->stat - 1);
  close(directory);

  bool has_status = stat_length > 0 && parse_stat(glance->stat, (size_t)stat_length, record, &name);
  if (has_status && began_after(glance, record)) {
    *record = (struct process_record){.kind = record->kind, .time_ns = record->time_ns, .pid = record->pid};
    return "";
  }
  if (argv_length > 0) {
    record->argv_length = (uint32_t)argv_length;
    record->known |= KNOWN_ARGV;
  }
  if (exe_length > 0) {
    record->exe_length = (uint32_t)exe_length;
    record->known |= KNOWN_EXE;
  }
  if (has_owner && has_status) {
    record->uid = owner.stx_uid;
    record->gid = owner.stx_gid;
    record->known |= KNOWN_OWNER;
  }
  return name;
}
