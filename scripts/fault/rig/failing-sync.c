/*
 * Preloaded into a daemon: fsync and fdatasync of chosen files fail with EIO, and nothing is written out by them. Which
 * files: those whose path ends with the text in the file FAILING_SYNC_FILE, read through a mapping, so that a change is seen
 * at once: 8 bytes of a counter of failures, then the text, empty for none. `-wal` counts as part of a database's name.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CONTROL_BYTES = 4096, TEXT_AT = 8 };

static char *control;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("FAILING_SYNC_FILE");
  int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  void *map = fd < 0 ? MAP_FAILED : mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  if (map != MAP_FAILED) control = map;
  if (fd >= 0) close(fd);
}

static int ends_with(const char *path, size_t length, const char *ending) {
  size_t wanted = strlen(ending);
  return length >= wanted && strncmp(path + length - wanted, ending, wanted) == 0;
}

static int fails(int fd) {
  char link[64], path[4096];
  const char *chosen = control == NULL ? "" : control + TEXT_AT;
  if (*chosen == 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path);
  if (length < 0) return 0;
  if (ends_with(path, (size_t)length, "-wal")) length -= 4;
  if (!ends_with(path, (size_t)length, chosen)) return 0;
  __atomic_add_fetch((int64_t *)(void *)control, 1, __ATOMIC_RELAXED);
  errno = EIO;
  return 1;
}

int fsync(int fd) { return fails(fd) ? -1 : real_fsync(fd); }

int fdatasync(int fd) { return fails(fd) ? -1 : real_fdatasync(fd); }
