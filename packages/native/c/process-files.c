/*
 * What /proc tells of one process, in one call: every file is opened relative to a descriptor of the process's directory,
 * so that all of it is of one process whoever gets its pid meanwhile. Bytes go as they are into sections of the caller's
 * buffer, lengths and numbers into the caller's array; nothing is made for JavaScript. src/process-files.ts has the same
 * table of sections and numbers, and says what each is.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum wanted {
  WANT_STAT = 1,
  WANT_HOLD = 2,
  WANT_OWNER = 4,
  WANT_STATUS = 8,
  WANT_LOGINUID = 16,
  WANT_CGROUP = 32,
  WANT_EXE = 64,
  WANT_CWD = 128,
  WANT_NAMESPACES = 256,
  WANT_CMDLINE = 512,
  WANT_EVERYTHING = 1023,
};

/* Where each section starts; it ends where the next one does, and the last where the buffer does. */
enum section {
  STAT_AT = 0,
  STATUS_AT = 2048,
  LOGINUID_AT = 6144,
  CGROUP_AT = 6208,
  EXE_AT = 14400,
  CWD_AT = 18496,
  CMDLINE_AT = 22592,
};

/* Places in the array. The first seven are lengths; below zero each of them, and of those that say so, is an errno. */
enum number {
  STAT_LENGTH,
  STATUS_LENGTH,
  LOGINUID_LENGTH,
  CGROUP_LENGTH,
  EXE_LENGTH,
  CWD_LENGTH,
  CMDLINE_LENGTH,
  OWNER_READ, /* or an errno */
  OWNER_UID,
  OWNER_GID,
  REAL_READ, /* or an errno: then the real owner is in status */
  REAL_UID,
  REAL_GID,
  FILE_READ, /* or an errno */
  FILE_DEVICE_HIGH,
  FILE_DEVICE_LOW,
  FILE_INODE_HIGH,
  FILE_INODE_LOW,
  FILE_LINKS,
  FILE_BYTES,
  FILE_MTIME_SECONDS,
  FILE_MTIME_NANOSECONDS,
  FILE_CTIME_SECONDS,
  FILE_CTIME_NANOSECONDS,
  NAMESPACE_FIRST, /* each an inode number, or an errno */
};

static const char *const namespaces[] = {"ns/cgroup", "ns/ipc", "ns/mnt", "ns/net", "ns/pid", "ns/user", "ns/uts"};
enum { NAMESPACES = sizeof namespaces / sizeof namespaces[0], NUMBERS = NAMESPACE_FIRST + NAMESPACES };

static const int opening = O_RDONLY | O_CLOEXEC;

/* A length, or an errno below zero. */
static double outcome(ssize_t length) { return length < 0 ? -errno : (double)length; }

static double read_file(int directory, const char *name, char *into, size_t size) {
  int fd = openat(directory, name, opening);
  if (fd < 0) return -errno;
  double length = outcome(read(fd, into, size));
  close(fd);
  return length;
}

/* The C library's own stat functions are newer than the libraries that this has to run on. */
static int look_at(int directory, const char *name, int flags, struct stat *status) {
  return (int)syscall(SYS_newfstatat, directory, name, status, flags);
}

static void read_owner(int directory, double *numbers) {
  struct stat status;
  bool read = look_at(directory, "", AT_EMPTY_PATH, &status) == 0;
  numbers[OWNER_READ] = read ? 0 : -errno;
  numbers[OWNER_UID] = read ? status.st_uid : 0;
  numbers[OWNER_GID] = read ? status.st_gid : 0;
}

/* struct pidfd_info as it was first, in Linux 6.13 (linux/pidfd.h). */
struct pidfd_info_0 {
  uint64_t mask, control_group;
  uint32_t pid, tgid, ppid, real_uid, real_gid, effective_uid, effective_gid, saved_uid, saved_gid, file_uid, file_gid;
  int32_t exit_code;
};

/*
 * Both owners: a pidfd tells them for a third of what status takes, which the kernel writes whole. A pidfd is made by
 * number: should the pid be another's by now, nothing is read any more below the directory that was opened before.
 */
static int read_owners(int pid, bool is_effective_wanted, double *numbers) {
  struct pidfd_info_0 told = {.mask = 1 << 1};
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return errno;
  int error = ioctl(fd, _IOWR(0xff, 11, struct pidfd_info_0), &told) == 0 ? 0 : errno;
  close(fd);
  if (error != 0) return error;
  if ((told.mask & (1 << 1)) == 0) return ENOSYS;
  numbers[REAL_UID] = told.real_uid;
  numbers[REAL_GID] = told.real_gid;
  if (!is_effective_wanted) return 0;
  numbers[OWNER_READ] = 0;
  numbers[OWNER_UID] = told.effective_uid;
  numbers[OWNER_GID] = told.effective_gid;
  return 0;
}

static void read_status(int pid, int directory, int wants, char *status, double *numbers) {
  /* Once the kernel has said that it does not know of it, it is not asked any more. */
  static volatile int is_unknown;
  int error = is_unknown ? ENOSYS : read_owners(pid, wants & WANT_OWNER, numbers);
  if (error != 0 && error != ESRCH && error != EMFILE && error != ENFILE && error != ENOMEM) is_unknown = 1;
  numbers[REAL_READ] = -error;
  if (error != 0) numbers[STATUS_LENGTH] = read_file(directory, "status", status, LOGINUID_AT - STATUS_AT);
}

/* 64 bits as two halves: a double holds 53. */
static void put_halves(uint64_t value, double *high) {
  high[0] = (double)(value >> 32);
  high[1] = (double)(value & UINT32_MAX);
}

static void read_executable(int directory, char *link, double *numbers) {
  struct stat status;
  numbers[EXE_LENGTH] = outcome(readlinkat(directory, "exe", link, CWD_AT - EXE_AT));
  if (numbers[EXE_LENGTH] < 0 || look_at(directory, "exe", 0, &status) != 0) {
    numbers[FILE_READ] = -errno;
    return;
  }
  numbers[FILE_READ] = 0;
  put_halves(status.st_dev, &numbers[FILE_DEVICE_HIGH]);
  put_halves(status.st_ino, &numbers[FILE_INODE_HIGH]);
  numbers[FILE_LINKS] = (double)status.st_nlink;
  numbers[FILE_BYTES] = (double)status.st_size;
  numbers[FILE_MTIME_SECONDS] = (double)status.st_mtim.tv_sec;
  numbers[FILE_MTIME_NANOSECONDS] = (double)status.st_mtim.tv_nsec;
  numbers[FILE_CTIME_SECONDS] = (double)status.st_ctim.tv_sec;
  numbers[FILE_CTIME_NANOSECONDS] = (double)status.st_ctim.tv_nsec;
}

/* The link of a namespace reads 'mnt:[4026531840]'. */
static double read_namespace(int directory, const char *name) {
  char link[64];
  double inode = 0;
  ssize_t length = readlinkat(directory, name, link, sizeof link);
  if (length < 0) return -errno;
  for (ssize_t at = 0; at < length; at++) {
    if (link[at] >= '0' && link[at] <= '9') inode = inode * 10 + (link[at] - '0');
  }
  return inode;
}

/* stat comes first: what cannot be read any more has ended. Gives its descriptor where it is to be held, otherwise -1. */
static int read_stat(int directory, bool hold, char *into, double *numbers) {
  int fd = openat(directory, "stat", opening);
  numbers[STAT_LENGTH] = fd < 0 ? -errno : outcome(pread(fd, into, STATUS_AT - STAT_AT, 0));
  if (fd < 0 || (hold && numbers[STAT_LENGTH] > 0)) return fd;
  close(fd);
  return -1;
}

/* Whether a pidfd told the owner, and something that was read after it says that it was this process's. */
static bool is_owner_told(int wants, const double *numbers) {
  if (!(wants & WANT_STATUS) || numbers[REAL_READ] != 0) return false;
  return ((wants & WANT_CMDLINE) && numbers[CMDLINE_LENGTH] >= 0) || ((wants & WANT_CGROUP) && numbers[CGROUP_LENGTH] >= 0);
}

static void read_wanted(int pid, int directory, int wants, char *buffer, size_t size, double *numbers) {
  if (wants & WANT_STATUS) read_status(pid, directory, wants, buffer + STATUS_AT, numbers);
  if (wants & WANT_EXE) read_executable(directory, buffer + EXE_AT, numbers);
  if (wants & WANT_CMDLINE) numbers[CMDLINE_LENGTH] = read_file(directory, "cmdline", buffer + CMDLINE_AT, size - CMDLINE_AT);
  if (wants & WANT_LOGINUID) {
    numbers[LOGINUID_LENGTH] = read_file(directory, "loginuid", buffer + LOGINUID_AT, CGROUP_AT - LOGINUID_AT);
  }
  if (wants & WANT_CGROUP) numbers[CGROUP_LENGTH] = read_file(directory, "cgroup", buffer + CGROUP_AT, EXE_AT - CGROUP_AT);
  if (wants & WANT_CWD) numbers[CWD_LENGTH] = outcome(readlinkat(directory, "cwd", buffer + CWD_AT, CMDLINE_AT - CWD_AT));
  if (wants & WANT_NAMESPACES) {
    for (int i = 0; i < NAMESPACES; i++) numbers[NAMESPACE_FIRST + i] = read_namespace(directory, namespaces[i]);
  }
  if ((wants & WANT_OWNER) && !is_owner_told(wants, numbers)) read_owner(directory, numbers);
}

static int read_all(int pid, int wants, char *buffer, size_t size, double *numbers) {
  char path[32];
  int stat = -1;
  snprintf(path, sizeof path, "/proc/%d", pid);
  int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) {
    for (int i = 0; i < NUMBERS; i++) numbers[i] = -errno;
    return -1;
  }
  if (wants & WANT_STAT) stat = read_stat(directory, wants & WANT_HOLD, buffer + STAT_AT, numbers);
  if ((wants & WANT_STAT) && numbers[STAT_LENGTH] <= 0) {
    for (int i = STAT_LENGTH + 1; i < NUMBERS; i++) numbers[i] = -ESRCH;
  } else {
    read_wanted(pid, directory, wants, buffer, size, numbers);
  }
  close(directory);
  return stat;
}

/* What getdents64(2) gives. */
struct entry {
  uint64_t inode;
  int64_t offset;
  unsigned short length;
  unsigned char type;
  char name[];
};

/* The pid that a name is; 0 where it is none. */
static int pid_of(const char *name) {
  int pid = 0;
  for (int at = 0; at < 9; at++) {
    if (name[at] == 0) return pid;
    if (name[at] < '0' || name[at] > '9') return 0;
    pid = pid * 10 + (name[at] - '0');
  }
  return 0;
}

/* Gives how many there are, of which the first `room` are in `pids`; an errno below zero where /proc cannot be listed. */
static int list_pids(int32_t *pids, size_t room) {
  _Alignas(struct entry) char entries[1 << 15];
  int count = 0;
  int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  long length;
  while ((length = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0) {
    const struct entry *entry;
    for (long at = 0; at < length; at += entry->length) {
      entry = (const struct entry *)(entries + at);
      int pid = pid_of(entry->name);
      if (pid == 0) continue;
      if ((size_t)count < room) pids[count] = pid;
      count++;
    }
  }
  if (length < 0) count = -errno;
  close(fd);
  return count;
}

/*
 * listProcesses(pids) -> how many processes /proc lists, in the order of their numbers; the first that fit are in the
 * Int32Array.
 */
napi_value list_processes(napi_env env, napi_callback_info info) {
  napi_value argument;
  napi_typedarray_type type;
  size_t room = 0;
  void *pids = NULL;
  if (!read_arguments(env, info, 1, &argument)) return NULL;
  if (napi_get_typedarray_info(env, argument, &type, &room, &pids, NULL, NULL) != napi_ok || type != napi_int32_array) {
    return throw_argument(env, "The pids must be an Int32Array");
  }
  napi_value counted;
  int count = list_pids(pids, pids == NULL ? 0 : room);
  if (count < 0) return throw_errno(env, "getdents64", -count);
  return is_ok(env, napi_create_int32(env, count, &counted)) ? counted : NULL;
}

/*
 * readProcess(pid, buffer, numbers, wants) -> the descriptor of stat where that is to be held, otherwise -1: a Uint8Array
 * of more than CMDLINE_AT bytes and a Float64Array of NUMBERS. What is not wanted stays as it was.
 */
napi_value read_process(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  napi_typedarray_type type;
  size_t size = 0;
  size_t count = 0;
  void *buffer = NULL;
  void *numbers = NULL;
  double pid = 0;
  double wants = 0;
  if (!read_arguments(env, info, 4, arguments) || !read_whole_number(env, arguments[0], INT_MAX, "The pid", &pid) ||
      !read_whole_number(env, arguments[3], WANT_EVERYTHING, "What is wanted", &wants)) {
    return NULL;
  }
  if (napi_get_typedarray_info(env, arguments[1], &type, &size, &buffer, NULL, NULL) != napi_ok || type != napi_uint8_array ||
      buffer == NULL || size <= CMDLINE_AT) {
    return throw_argument(env, "The buffer must be a Uint8Array with room for every section");
  }
  if (napi_get_typedarray_info(env, arguments[2], &type, &count, &numbers, NULL, NULL) != napi_ok || type != napi_float64_array ||
      numbers == NULL || count < NUMBERS) {
    return throw_argument(env, "The numbers must be a Float64Array with room for each");
  }
  napi_value descriptor;
  int fd = read_all((int)pid, (int)wants, buffer, size, numbers);
  return is_ok(env, napi_create_int32(env, fd, &descriptor)) ? descriptor : NULL;
}
