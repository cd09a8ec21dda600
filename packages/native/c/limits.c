/*
 * Resource limits of this process (getrlimit(2); they bind every thread) and an advisory lock on a file (flock(2)).
 */
#include "addon.h"

#include <errno.h>
#include <math.h>
#include <sys/file.h>
#include <sys/resource.h>

/* Up to here every whole number has an exact double. */
static const double largest_exact = 9007199254740991.0;

napi_value limit_numbers(napi_env env) {
  static const struct {
    const char *name;
    int number;
  } limits[] = {
      {"AS", RLIMIT_AS},           {"CORE", RLIMIT_CORE},     {"CPU", RLIMIT_CPU},     {"DATA", RLIMIT_DATA},   {"FSIZE", RLIMIT_FSIZE},
      {"MEMLOCK", RLIMIT_MEMLOCK}, {"NOFILE", RLIMIT_NOFILE}, {"NPROC", RLIMIT_NPROC}, {"STACK", RLIMIT_STACK},
  };
  napi_value numbers;
  if (!is_ok(env, napi_create_object(env, &numbers))) return NULL;
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    napi_value number;
    if (!is_ok(env, napi_create_int32(env, limits[i].number, &number))) return NULL;
    if (!is_ok(env, napi_set_named_property(env, numbers, limits[i].name, number))) return NULL;
  }
  return numbers;
}

static bool read_resource(napi_env env, napi_value value, int *resource) {
  double number = 0;
  if (!read_whole_number(env, value, RLIM_NLIMITS - 1, "The resource", &number)) return false;
  *resource = (int)number;
  return true;
}

/* No limit is Infinity in JavaScript. */
static bool read_limit(napi_env env, napi_value value, const char *what, rlim_t *limit) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) == napi_ok && number == INFINITY) {
    *limit = RLIM_INFINITY;
    return true;
  }
  if (!read_whole_number(env, value, largest_exact, what, &number)) return false;
  *limit = (rlim_t)number;
  return true;
}

/* getLimit(resource) -> [soft, hard]; limits over 2^53 lose their last digits. */
napi_value get_limit(napi_env env, napi_callback_info info) {
  napi_value argument;
  int resource;
  if (!read_arguments(env, info, 1, &argument) || !read_resource(env, argument, &resource)) return NULL;

  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return throw_errno(env, "getrlimit", errno);

  const rlim_t values[2] = {limit.rlim_cur, limit.rlim_max};
  napi_value pair;
  if (!is_ok(env, napi_create_array_with_length(env, 2, &pair))) return NULL;
  for (uint32_t i = 0; i < 2; i++) {
    napi_value value;
    double number = values[i] == RLIM_INFINITY ? INFINITY : (double)values[i];
    if (!is_ok(env, napi_create_double(env, number, &value)) || !is_ok(env, napi_set_element(env, pair, i, value))) return NULL;
  }
  return pair;
}

/* setLimit(resource, soft, hard) */
napi_value set_limit(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int resource;
  struct rlimit limit;
  if (!read_arguments(env, info, 3, arguments) || !read_resource(env, arguments[0], &resource) ||
      !read_limit(env, arguments[1], "The soft limit", &limit.rlim_cur) ||
      !read_limit(env, arguments[2], "The hard limit", &limit.rlim_max)) {
    return NULL;
  }
  return setrlimit(resource, &limit) == 0 ? NULL : throw_errno(env, "setrlimit", errno);
}

/* tryLock(fd) -> boolean: false while another open file description holds the lock. */
napi_value try_lock(napi_env env, napi_callback_info info) {
  napi_value argument;
  int fd;
  if (!read_arguments(env, info, 1, &argument) || !read_descriptor(env, argument, &fd)) return NULL;

  bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (!locked && errno != EWOULDBLOCK) return throw_errno(env, "flock", errno);
  napi_value result;
  return is_ok(env, napi_get_boolean(env, locked, &result)) ? result : NULL;
}
