/*
 * Preloaded into a program whose files lose power later: keeps a log of everything that changes a file below POWER_LOG_ROOT,
 * and of what was synced, in one order. fsync and fdatasync are not done, only noted: nothing here waits for a disk. What is written
 * to the descriptor POWER_LOG_MARKS is in the log too, so that what was acknowledged has its place among the syncs. Where
 * POWER_LOG_FAILING is N, every Nth sync of a database or its log fails with EIO; where it is -N the Nth one, and SIGKILL comes at that moment. Once the file
 * POWER_LOG_STOP is there, SIGKILL comes with the next change, when that is in the log.
 * Of SQLite's -shm nothing is kept: it is made anew after a loss of power.
 *
 * A record, in the host's byte order: u32 kind, u32 bytes of payload, u64 inode, i64 offset, payload. A change that this cannot
 * express is a record of kind UNKNOWN with its name, never left out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, TRUNCATE, SYNC, SYNC_DIRECTORY, CREATE, RENAME, UNLINK, LINK, MAKE_DIRECTORY, REMOVE_DIRECTORY, MARK, UNKNOWN, FAILED_SYNC };

struct record {
  uint32_t kind, length;
  uint64_t inode;
  int64_t offset;
};

/* Above what programs open themselves, below the usual limit of 1,024. */
enum { LOG_DESCRIPTOR = 700, PATH_BYTES = 4096 };

static const char *root, *stop_file;
static size_t root_length;
static int log_fd = -1, marks_fd = -1, failing, syncs;
static pthread_mutex_t one_order = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWER_LOG_FILE"), *marks = getenv("POWER_LOG_MARKS"), *every = getenv("POWER_LOG_FAILING");
  int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR);
  syscall(SYS_close, fd);
  root = getenv("POWER_LOG_ROOT");
  root_length = root == NULL ? 0 : strlen(root);
  stop_file = getenv("POWER_LOG_STOP");
  if (marks != NULL) marks_fd = atoi(marks);
  if (every != NULL) failing = atoi(every);
}

static void put(const void *bytes, size_t length) {
  const char *at = bytes;
  while (length > 0) {
    ssize_t done = syscall(SYS_write, log_fd, at, length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) abort(); /* A log with a hole would show losses that were none. */
    at += done;
    length -= (size_t)done;
  }
}

static void note(enum kind kind, uint64_t inode, int64_t offset, const void *payload, size_t length) {
  struct record record = {kind, (uint32_t)length, inode, offset};
  int kept = errno;
  put(&record, sizeof record);
  put(payload, length);
  /* A kill from outside could come in the midst of a record, or between a change and its record. */
  if (stop_file != NULL && syscall(SYS_access, stop_file, F_OK) == 0) kill(getpid(), SIGKILL);
  errno = kept;
}

static void note_unknown(const char *what) { note(UNKNOWN, 0, 0, what, strlen(what)); }

static int ends_with(const char *path, const char *ending) {
  size_t length = strlen(path), wanted = strlen(ending);
  return length >= wanted && strcmp(path + length - wanted, ending) == 0;
}

static int is_below(const char *path) {
  if (root_length == 0 || log_fd < 0 || strncmp(path, root, root_length) != 0) return 0;
  if (path[root_length] != '/' && path[root_length] != 0) return 0;
  return !ends_with(path, "-shm");
}

/* The path of a descriptor whose file is below the root; 0 for others. A file without a name keeps what it was called. */
static int is_watched(int fd, char *path, struct stat *status) {
  char link[64];
  int kept = errno;
  ssize_t length;
  if (log_fd < 0 || fd < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, path, PATH_BYTES - 1);
  path[length < 0 ? 0 : length] = 0;
  if (ends_with(path, " (deleted)")) path[length - 10] = 0;
  length = is_below(path) && fstat(fd, status) == 0;
  errno = kept;
  return (int)length;
}

static int64_t position(int fd) { return (int64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR); }

static ssize_t write_noted(int fd, const void *bytes, size_t length, int64_t offset) {
  char path[PATH_BYTES];
  struct stat status;
  pthread_mutex_lock(&one_order);
  int watched = is_watched(fd, path, &status);
  ssize_t done = offset < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, offset);
  if (done > 0 && watched && S_ISREG(status.st_mode))
    note(WRITE, status.st_ino, offset < 0 ? position(fd) - done : offset, bytes, (size_t)done);
  if (done > 0 && fd == marks_fd && log_fd >= 0) note(MARK, 0, 0, bytes, (size_t)done);
  pthread_mutex_unlock(&one_order);
  return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return write_noted(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return write_noted(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return write_noted(fd, bytes, length, offset); }

/* One buffer after the other: fewer bytes than were asked for is an answer that every caller must expect. */
static ssize_t write_parts(int fd, const struct iovec *parts, int count, int64_t offset) {
  ssize_t sum = 0;
  for (int at = 0; at < count; at++) {
    ssize_t done = write_noted(fd, parts[at].iov_base, parts[at].iov_len, offset < 0 ? -1 : offset + sum);
    if (done < 0) return sum > 0 ? sum : -1;
    sum += done;
    if ((size_t)done < parts[at].iov_len) break;
  }
  return sum;
}

ssize_t writev(int fd, const struct iovec *parts, int count) { return write_parts(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return write_parts(fd, parts, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return write_parts(fd, parts, count, offset); }

static int truncate_noted(int fd, int64_t length) {
  char path[PATH_BYTES];
  struct stat status;
  pthread_mutex_lock(&one_order);
  int watched = is_watched(fd, path, &status), result = (int)syscall(SYS_ftruncate, fd, length);
  if (result == 0 && watched) note(TRUNCATE, status.st_ino, length, "", 0);
  pthread_mutex_unlock(&one_order);
  return result;
}

int ftruncate(int fd, off_t length) { return truncate_noted(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncate_noted(fd, length); }

/* Of a directory its names are synced, of a file its bytes; never the name of a file with its bytes (fsync(2)). */
static int sync_noted(int fd) {
  char path[PATH_BYTES];
  struct stat status;
  pthread_mutex_lock(&one_order);
  int watched = is_watched(fd, path, &status), directory = watched && S_ISDIR(status.st_mode);
  int fails = watched && failing != 0 && (ends_with(path, ".db") || ends_with(path, "-wal")) && ++syncs % abs(failing) == 0;
  if (watched) note(directory ? SYNC_DIRECTORY : fails ? FAILED_SYNC : SYNC, status.st_ino, 0, path, strlen(path));
  if (fails && failing < 0) raise(SIGKILL);
  pthread_mutex_unlock(&one_order);
  if (!watched) return (int)syscall(SYS_fsync, fd);
  if (fails) errno = EIO;
  return fails ? -1 : 0;
}

int fsync(int fd) { return sync_noted(fd); }
int fdatasync(int fd) { return sync_noted(fd); }

static int exists(const char *path) {
  struct stat status;
  int kept = errno, found = lstat(path, &status) == 0;
  errno = kept;
  return found;
}

static int open_noted(int directory, const char *path, int flags, mode_t mode) {
  char found[PATH_BYTES];
  struct stat status;
  int changes = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_ACCMODE) != O_RDONLY;
  if (log_fd < 0 || !changes) return (int)syscall(SYS_openat, directory, path, flags, mode);
  pthread_mutex_lock(&one_order);
  int was_there = exists(path), fd = (int)syscall(SYS_openat, directory, path, flags, mode);
  if (fd >= 0 && is_watched(fd, found, &status)) {
    if (!was_there && (flags & O_CREAT)) note(CREATE, status.st_ino, 0, found, strlen(found));
    else if (flags & O_TRUNC) note(TRUNCATE, status.st_ino, 0, "", 0);
    if ((flags & (O_DSYNC | O_DIRECT)) || (flags & O_TMPFILE) == O_TMPFILE || (path[0] != '/' && directory != AT_FDCWD))
      note_unknown("open with flags of its own kind");
  }
  pthread_mutex_unlock(&one_order);
  return fd;
}

#define OPEN_WITH_MODE(directory)             \
  va_list rest;                               \
  va_start(rest, flags);                      \
  mode_t mode = va_arg(rest, mode_t);         \
  va_end(rest);                               \
  return open_noted(directory, path, flags, mode);

/* A mode that was not given is read as rubbish and not used: the kernel looks at it only with O_CREAT and O_TMPFILE. */
int open(const char *path, int flags, ...) { OPEN_WITH_MODE(AT_FDCWD) }
int open64(const char *path, int flags, ...) { OPEN_WITH_MODE(AT_FDCWD) }
int openat(int directory, const char *path, int flags, ...) { OPEN_WITH_MODE(directory) }
int openat64(int directory, const char *path, int flags, ...) { OPEN_WITH_MODE(directory) }

static void note_names(enum kind kind, const char *from, const char *to) {
  char names[2 * PATH_BYTES];
  struct stat status;
  int length = snprintf(names, sizeof names, "%s%c%s", from, 0, to);
  note(kind, lstat(to, &status) == 0 ? status.st_ino : 0, 0, names, (size_t)length);
}

static int names_noted(enum kind kind, int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  pthread_mutex_lock(&one_order);
  int result = kind == RENAME ? (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags)
                              : (int)syscall(SYS_linkat, from_directory, from, to_directory, to, flags);
  if (result == 0 && log_fd >= 0 && is_below(to)) {
    if (is_below(from)) note_names(kind, from, to);
    else note_unknown("a name from outside");
    if (kind == RENAME && flags > 1) note_unknown("renameat2 with flags");
  } else if (result == 0 && log_fd >= 0 && is_below(from)) note_unknown("a name to outside");
  pthread_mutex_unlock(&one_order);
  return result;
}

int rename(const char *from, const char *to) { return names_noted(RENAME, AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return names_noted(RENAME, a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return names_noted(RENAME, a, from, b, to, flags); }
int link(const char *from, const char *to) { return names_noted(LINK, AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return names_noted(LINK, a, from, b, to, (unsigned)flags); }

static int remove_noted(int directory, const char *path, int flags) {
  enum kind kind = (flags & AT_REMOVEDIR) ? REMOVE_DIRECTORY : UNLINK;
  pthread_mutex_lock(&one_order);
  int result = (int)syscall(SYS_unlinkat, directory, path, flags);
  if (result == 0 && log_fd >= 0 && is_below(path)) note(kind, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&one_order);
  return result;
}

int unlink(const char *path) { return remove_noted(AT_FDCWD, path, 0); }
int unlinkat(int directory, const char *path, int flags) { return remove_noted(directory, path, flags); }
int rmdir(const char *path) { return remove_noted(AT_FDCWD, path, AT_REMOVEDIR); }

int remove(const char *path) {
  int kept = errno, result = unlink(path);
  if (result == 0 || (errno != EISDIR && errno != EPERM)) return result;
  errno = kept;
  return rmdir(path);
}

int mkdirat(int directory, const char *path, mode_t mode) {
  pthread_mutex_lock(&one_order);
  int result = (int)syscall(SYS_mkdirat, directory, path, mode);
  if (result == 0 && log_fd >= 0 && is_below(path)) note(MAKE_DIRECTORY, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&one_order);
  return result;
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* Ways to change a file that are not followed: they are said where they are used on a file that is watched. */
static void say_unknown(int fd, const char *what) {
  char path[PATH_BYTES];
  struct stat status;
  if (log_fd < 0 || !is_watched(fd, path, &status)) return;
  pthread_mutex_lock(&one_order);
  note_unknown(what);
  pthread_mutex_unlock(&one_order);
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) {
  say_unknown(out, "copy_file_range");
  return syscall(SYS_copy_file_range, in, from, out, to, length, flags);
}

ssize_t sendfile64(int out, int in, off64_t *from, size_t length) {
  say_unknown(out, "sendfile");
  return syscall(SYS_sendfile, out, in, from, length);
}

int fallocate64(int fd, int mode, off64_t from, off64_t length) {
  say_unknown(fd, "fallocate");
  return (int)syscall(SYS_fallocate, fd, mode, from, length);
}

int posix_fallocate64(int fd, off64_t from, off64_t length) { return fallocate64(fd, 0, from, length) == 0 ? 0 : errno; }

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  if (fd >= 0 && (protection & PROT_WRITE) && (flags & MAP_SHARED)) say_unknown(fd, "a mapping that writes");
  return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
  return mmap(at, length, protection, flags, fd, offset);
}
