/*
 * The addon's list of exports, and the helpers of addon.h. It only makes system calls that Node does not offer;
 * names, shapes, policies and messages for people live in the TypeScript beside it.
 */
#include "addon.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

napi_value throw_errno(napi_env env, const char *call, int error) {
  char buffer[128];
  char name[64];
  char message[192];
  /* GNU strerror_r: thread-safe, and may return a constant instead of the buffer. */
  const char *text = strerror_r(error, buffer, sizeof buffer);
  snprintf(message, sizeof message, "%s: %s", call, text);
  napi_throw_error(env, uv_err_name_r(-error, name, sizeof name), message);
  return NULL;
}

napi_value throw_argument(napi_env env, const char *message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", message);
  return NULL;
}

bool is_ok(napi_env env, napi_status status) {
  if (status == napi_ok) return true;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, "ERR_NATIVE", "The call into Node-API failed");
  return false;
}

bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments) {
  size_t room = count;
  return is_ok(env, napi_get_cb_info(env, info, &room, arguments, NULL, NULL));
}

static bool refuse(napi_env env, const char *what, const char *wanted) {
  char message[128];
  snprintf(message, sizeof message, "%s must be %s", what, wanted);
  throw_argument(env, message);
  return false;
}

bool read_whole_number(napi_env env, napi_value value, double largest, const char *what, double *number) {
  double given = -1;
  /* The comparison is written so that NaN fails it. */
  if (napi_get_value_double(env, value, &given) != napi_ok || !(given >= 0 && given <= largest) || given != trunc(given)) {
    return refuse(env, what, "a whole number in range");
  }
  *number = given;
  return true;
}

bool read_descriptor(napi_env env, napi_value value, int *fd) {
  double number = 0;
  if (!read_whole_number(env, value, INT_MAX, "The descriptor", &number)) return false;
  *fd = (int)number;
  return true;
}

bool read_text(napi_env env, napi_value value, const char *what, char *text, size_t capacity, size_t *length) {
  size_t needed = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &needed) != napi_ok) return refuse(env, what, "a string");
  if (needed >= capacity) return refuse(env, what, "shorter");
  return is_ok(env, napi_get_value_string_utf8(env, value, text, capacity, length));
}

static const struct {
  const char *name;
  napi_callback function;
} operations[] = {
    {"peerCredentials", peer_credentials}, {"sendDatagram", send_datagram}, {"getLimit", get_limit},
    {"setLimit", set_limit},               {"tryLock", try_lock},           {"applyFilter", apply_filter},
    {"readProcess", read_process},         {"listProcesses", list_processes},
    {"openProcessEvents", open_process_events},   {"startProcessEvents", start_process_events},
    {"drainProcessEvents", drain_process_events}, {"countProcessEvents", count_process_events},
    {"stopProcessEvents", stop_process_events},   {"keepAcrossExec", keep_across_exec},
    {"hashFile", hash_file},               {"cancelHash", cancel_hash},
    {"blake3", blake3_bytes},              {"sha256Nodes", sha256_nodes},
    {"sha256Leaves", sha256_leaves},
    {"checkEntryPage", check_entry_page},  {"hashCode", name_hash_code},
};

NAPI_MODULE_INIT() {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    napi_value function;
    const char *name = operations[i].name;
    if (!is_ok(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, operations[i].function, NULL, &function))) return NULL;
    if (!is_ok(env, napi_set_named_property(env, exports, name, function))) return NULL;
  }
  napi_value numbers = limit_numbers(env);
  if (numbers == NULL || !is_ok(env, napi_set_named_property(env, exports, "limitNumbers", numbers))) return NULL;
  return exports;
}
