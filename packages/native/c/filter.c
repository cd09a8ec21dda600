/*
 * Puts a system call filter on every thread of the process (seccomp(2)). The filter is written in TypeScript; the
 * kernel checks it before it takes it. It cannot be taken off again, and what the process starts inherits it.
 */
#include "addon.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* applyFilter(program): a Uint8Array of struct sock_filter. Sets no_new_privs as well, on every thread (TSYNC). */
napi_value apply_filter(napi_env env, napi_callback_info info) {
  napi_value argument;
  napi_typedarray_type type;
  size_t size = 0;
  void *bytes = NULL;
  if (!read_arguments(env, info, 1, &argument)) return NULL;
  if (napi_get_typedarray_info(env, argument, &type, &size, &bytes, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    return throw_argument(env, "The filter must be a Uint8Array");
  }
  size_t length = size / sizeof(struct sock_filter);
  if (bytes == NULL || length == 0 || length > BPF_MAXINSNS || size % sizeof(struct sock_filter) != 0) {
    return throw_argument(env, "The filter must hold 1 to 4096 instructions of 8 bytes");
  }
  /* The kernel copies byte by byte (copy_from_user), so the array's alignment does not matter. */
  struct sock_fprog program = {.len = (unsigned short)length, .filter = bytes};

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return throw_errno(env, "prctl", errno);
  long unsynchronised = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (unsynchronised < 0) return throw_errno(env, "seccomp", errno);
  /* Above zero it is the id of a thread that carries a filter of its own, and nothing was applied. */
  if (unsynchronised > 0) return throw_errno(env, "seccomp", ESRCH);
  return NULL;
}
