/*
 * SHA-256 of a file on a thread of libuv's pool, read piece by piece and no faster than it may. OpenSSL is the one in
 * the Node that loads the addon; a Node may have none, so its functions are weak references, which are NULL then.
 */
#include "addon.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#pragma weak EVP_MD_CTX_new
#pragma weak EVP_MD_CTX_free
#pragma weak EVP_sha256
#pragma weak EVP_DigestInit_ex
#pragma weak EVP_DigestUpdate
#pragma weak EVP_DigestFinal_ex

#define PIECE_BYTES (256 * 1024)
#define DIGEST_BYTES 32
#define LARGEST_NUMBER 9007199254740991.0
#define NANOSECONDS 1000000000
/* How long a cancelled work may sleep on. */
#define LONGEST_SLEEP 50000000

/* Belongs to the thread of JavaScript, and between queueing and the end to a thread of the pool, save what is said. */
struct hash {
  /* Only JavaScript's thread looks at these. */
  napi_env env;
  napi_async_work work;
  napi_deferred deferred;
  double ticket;
  struct hash *next;
  /* Set by the one, read by the other. */
  atomic_bool cancelled;
  int fd;
  uint64_t limit;
  double bytes_per_second;
  /* What came of it: 0 and the digest, or an errno. */
  int error;
  uint64_t bytes_read;
  uint8_t digest[DIGEST_BYTES];
};

/* The works of the environments of this thread that have not ended. */
static _Thread_local struct hash *running;

static bool has_openssl(void) {
  return EVP_MD_CTX_new != NULL && EVP_MD_CTX_free != NULL && EVP_sha256 != NULL && EVP_DigestInit_ex != NULL &&
         EVP_DigestUpdate != NULL && EVP_DigestFinal_ex != NULL;
}

static int64_t nanoseconds(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

/* Short sleeps: whoever cancels does not wait long. */
static void wait_until(struct hash *hash, int64_t due) {
  for (int64_t left = due - nanoseconds(); left > 0 && !atomic_load(&hash->cancelled); left = due - nanoseconds()) {
    const struct timespec sleep = {.tv_nsec = left < LONGEST_SLEEP ? left : LONGEST_SLEEP};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &sleep, NULL);
  }
}

/* 0 or an errno. A piece is paid for after it was read, the last one too, so that the next file owes nothing. */
static int digest_file(struct hash *hash, EVP_MD_CTX *context, uint8_t *piece) {
  if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) return ENOTSUP;
  int64_t due = 0;
  while (!atomic_load(&hash->cancelled)) {
    int64_t now = nanoseconds();
    ssize_t length = pread(hash->fd, piece, PIECE_BYTES, (off_t)hash->bytes_read);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    if (length == 0) return EVP_DigestFinal_ex(context, hash->digest, NULL) == 1 ? 0 : ENOTSUP;
    hash->bytes_read += (uint64_t)length;
    if (EVP_DigestUpdate(context, piece, (size_t)length) != 1) return ENOTSUP;
    due = (due > now ? due : now) + (int64_t)((double)length / hash->bytes_per_second * NANOSECONDS);
    wait_until(hash, due);
    if (hash->bytes_read > hash->limit) return EFBIG;
  }
  return ECANCELED;
}

/* On a thread of the pool. The piece is mapped, not allocated: what malloc got for a thread it would keep. */
static void run_hash(napi_env env, void *data) {
  (void)env;
  struct hash *hash = data;
  uint8_t *piece = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  hash->error = piece == MAP_FAILED || context == NULL ? ENOMEM : digest_file(hash, context, piece);
  EVP_MD_CTX_free(context);
  if (piece != MAP_FAILED) munmap(piece, PIECE_BYTES);
}

static napi_status make_result(napi_env env, const struct hash *hash, napi_value *result) {
  char text[2 * DIGEST_BYTES + 1];
  napi_value bytes, word;
  for (size_t i = 0; i < DIGEST_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", hash->digest[i]);
  if (hash->error != 0) uv_err_name_r(-hash->error, text, sizeof text);
  napi_status status = napi_create_object(env, result);
  if (status == napi_ok) status = napi_create_double(env, (double)hash->bytes_read, &bytes);
  if (status == napi_ok) status = napi_set_named_property(env, *result, "bytesRead", bytes);
  if (status == napi_ok) status = napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &word);
  return status == napi_ok ? napi_set_named_property(env, *result, hash->error == 0 ? "sha256" : "error", word) : status;
}

static void free_hash(napi_env env, struct hash *hash) {
  if (hash->work != NULL) napi_delete_async_work(env, hash->work);
  free(hash);
}

/* In an environment that is being taken down nothing can be resolved, and nobody waits for it. */
static void finish_hash(napi_env env, napi_status status, void *data) {
  (void)status;
  struct hash *hash = data;
  struct hash **place = &running;
  while (*place != NULL && *place != hash) place = &(*place)->next;
  if (*place != NULL) *place = hash->next;
  napi_value result;
  if (make_result(env, hash, &result) == napi_ok) napi_resolve_deferred(env, hash->deferred, result);
  free_hash(env, hash);
}

/* The promise; NULL with an exception pending where the work was not begun. */
static napi_value begin_hash(napi_env env, struct hash *hash) {
  napi_value promise, name;
  if (!is_ok(env, napi_create_string_latin1(env, "hashFile", NAPI_AUTO_LENGTH, &name)) ||
      !is_ok(env, napi_create_async_work(env, NULL, name, run_hash, finish_hash, hash, &hash->work)) ||
      !is_ok(env, napi_create_promise(env, &hash->deferred, &promise)) || !is_ok(env, napi_queue_async_work(env, hash->work))) {
    free_hash(env, hash);
    return NULL;
  }
  hash->next = running;
  running = hash;
  return promise;
}

/* hashFile(fd, limitBytes, bytesPerSecond, ticket) -> promise of {bytesRead, sha256} or {bytesRead, error}, an errno's name */
napi_value hash_file(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  int fd = -1;
  double limit = 0;
  double bytes_per_second = 0;
  double ticket = 0;
  if (!read_arguments(env, info, 4, arguments) || !read_descriptor(env, arguments[0], &fd) ||
      !read_whole_number(env, arguments[1], LARGEST_NUMBER, "The limit", &limit) ||
      !read_whole_number(env, arguments[2], LARGEST_NUMBER, "The rate", &bytes_per_second) ||
      !read_whole_number(env, arguments[3], LARGEST_NUMBER, "The ticket", &ticket)) {
    return NULL;
  }
  if (bytes_per_second < 1) return throw_argument(env, "The rate must be a byte a second at least");
  if (!has_openssl()) return throw_errno(env, "hashFile", ENOSYS);
  struct hash *hash = calloc(1, sizeof *hash);
  if (hash == NULL) return throw_errno(env, "calloc", ENOMEM);
  hash->env = env;
  hash->fd = fd;
  hash->limit = (uint64_t)limit;
  hash->bytes_per_second = bytes_per_second;
  hash->ticket = ticket;
  /* So it stays where no thread has begun on it. */
  hash->error = ECANCELED;
  return begin_hash(env, hash);
}

/* cancelHash(ticket): what has this ticket ends soon, with ECANCELED unless it had ended; nothing where nothing has it. */
napi_value cancel_hash(napi_env env, napi_callback_info info) {
  napi_value argument;
  double ticket = 0;
  if (!read_arguments(env, info, 1, &argument) || !read_whole_number(env, argument, LARGEST_NUMBER, "The ticket", &ticket)) return NULL;
  for (struct hash *hash = running; hash != NULL; hash = hash->next) {
    if (hash->env != env || hash->ticket != ticket) continue;
    atomic_store(&hash->cancelled, true);
    /* Refused where a thread is at it; then that thread sees to it. */
    napi_cancel_async_work(env, hash->work);
  }
  return NULL;
}
