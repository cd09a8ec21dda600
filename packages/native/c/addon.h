/*
 * What the files of the addon share: reading arguments and throwing errors. Arguments are not trusted here, although
 * the TypeScript around the addon checks them too: whatever is passed, the outcome is a result or a thrown error.
 */
#ifndef SENTINELD_NATIVE_ADDON_H
#define SENTINELD_NATIVE_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

/* Throws an Error with the message "<call>: <strerror>" and the errno's name as its code. Returns NULL. */
napi_value throw_errno(napi_env env, const char *call, int error);

/* Throws a TypeError with the code ERR_INVALID_ARG_VALUE. Returns NULL. */
napi_value throw_argument(napi_env env, const char *message);

/* True when status is napi_ok; otherwise sees to it that an exception is pending. */
bool is_ok(napi_env env, napi_status status);

/* Reads the first `count` arguments; missing ones are undefined. On false an exception is pending. */
bool read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *arguments);

/* Reads a whole number from 0 to `largest`. On false an exception is pending. */
bool read_whole_number(napi_env env, napi_value value, double largest, const char *what, double *number);

/* Reads a descriptor number. On false an exception is pending. */
bool read_descriptor(napi_env env, napi_value value, int *fd);

/*
 * Reads a string of at most `capacity - 1` bytes of UTF-8 (N-API writes a NUL after it, and counts bytes before it).
 * A longer string is refused, never cut. On false an exception is pending.
 */
bool read_text(napi_env env, napi_value value, const char *what, char *text, size_t capacity, size_t *length);

/* One function per operation; what each takes and gives is said where it is defined. */
napi_value peer_credentials(napi_env env, napi_callback_info info);
napi_value send_datagram(napi_env env, napi_callback_info info);
napi_value get_limit(napi_env env, napi_callback_info info);
napi_value set_limit(napi_env env, napi_callback_info info);
napi_value try_lock(napi_env env, napi_callback_info info);
napi_value apply_filter(napi_env env, napi_callback_info info);
napi_value read_process(napi_env env, napi_callback_info info);
napi_value list_processes(napi_env env, napi_callback_info info);
napi_value open_process_events(napi_env env, napi_callback_info info);
napi_value start_process_events(napi_env env, napi_callback_info info);
napi_value drain_process_events(napi_env env, napi_callback_info info);
napi_value count_process_events(napi_env env, napi_callback_info info);
napi_value stop_process_events(napi_env env, napi_callback_info info);
napi_value keep_across_exec(napi_env env, napi_callback_info info);
napi_value hash_file(napi_env env, napi_callback_info info);
napi_value cancel_hash(napi_env env, napi_callback_info info);
napi_value blake3_bytes(napi_env env, napi_callback_info info);
napi_value sha256_nodes(napi_env env, napi_callback_info info);
napi_value sha256_leaves(napi_env env, napi_callback_info info);
napi_value check_entry_page(napi_env env, napi_callback_info info);
napi_value name_hash_code(napi_env env, napi_callback_info info);

/* The numbers of this architecture's resource limits, by name. NULL with an exception pending on failure. */
napi_value limit_numbers(napi_env env);

#endif
