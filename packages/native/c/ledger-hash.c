/*
 * Hashing for the ledger as JavaScript has it; src/ledger-hash.ts says what each function is for. Memory is the caller's,
 * and its sizes are compared here with what is going to be read and written.
 */
#include "addon.h"

#include "hash.h"
#include "ledger-page.h"

#include <string.h>

static const double LARGEST_NUMBER = 9007199254740991.0;

enum { CHILDREN_BYTES = 2 * HASH_BYTES, LONGEST_OUTPUT = 65536, HASH_BATCH = 16, NODE_ROOM = 128, LONGEST_LEAF = 1024 };

struct bytes {
  uint8_t *data;
  size_t length;
};

static bool read_uint8_array(napi_env env, napi_value value, const char *message, struct bytes *bytes) {
  napi_typedarray_type type;
  void *data = NULL;
  bool is_read = napi_get_typedarray_info(env, value, &type, &bytes->length, &data, NULL, NULL) == napi_ok && type == napi_uint8_array;
  bytes->data = data;
  if (!is_read) throw_argument(env, message);
  return is_read;
}

/*
 * blake3(bytes, out, flags, key): the hash into `out`, as long as that is. `flags` is 0 and the key is not read, or it is
 * KEYED_HASH, DERIVE_KEY_CONTEXT (without a key) or DERIVE_KEY_MATERIAL.
 */
napi_value blake3_bytes(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  struct bytes bytes, out, key = {0};
  double flags = 0;
  uint32_t words[8];
  if (!read_arguments(env, info, 4, arguments) || !read_uint8_array(env, arguments[0], "The message must be a Uint8Array", &bytes) ||
      !read_uint8_array(env, arguments[1], "The output must be a Uint8Array", &out) ||
      !read_whole_number(env, arguments[2], DERIVE_KEY_MATERIAL, "The flags", &flags)) {
    return NULL;
  }
  if (flags != 0 && flags != KEYED_HASH && flags != DERIVE_KEY_CONTEXT && flags != DERIVE_KEY_MATERIAL) {
    return throw_argument(env, "The flags must be those of a mode");
  }
  if (out.length == 0 || out.length > LONGEST_OUTPUT) return throw_argument(env, "The output must be 1 to 65536 bytes");
  memcpy(words, blake3_start, sizeof words);
  if (flags == KEYED_HASH || flags == DERIVE_KEY_MATERIAL) {
    if (!read_uint8_array(env, arguments[3], "The key must be a Uint8Array", &key)) return NULL;
    if (key.length != sizeof words) return throw_argument(env, "The key must be 32 bytes");
    memcpy(words, key.data, sizeof words);
  }
  blake3(bytes.data, bytes.length, words, (uint32_t)flags, out.data, out.length);
  return NULL;
}

/* 01 and both children, padded to two blocks (FIPS 180-4, section 5.1.1). */
static void put_node(const uint8_t *children, uint8_t *room) {
  memset(room, 0, NODE_ROOM);
  room[0] = 1;
  memcpy(room + 1, children, CHILDREN_BYTES);
  room[1 + CHILDREN_BYTES] = 0x80;
  room[NODE_ROOM - 2] = (1 + CHILDREN_BYTES) * 8 >> 8;
  room[NODE_ROOM - 1] = (1 + CHILDREN_BYTES) * 8 & 0xff;
}

/* sha256Nodes(children, out): for each pair of hashes of the one, a hash of the other. The same memory may be both. */
napi_value sha256_nodes(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  struct bytes children, out;
  uint8_t rooms[HASH_BATCH][NODE_ROOM];
  struct padded nodes[HASH_BATCH];
  if (!read_arguments(env, info, 2, arguments) || !read_uint8_array(env, arguments[0], "The children must be a Uint8Array", &children) ||
      !read_uint8_array(env, arguments[1], "The output must be a Uint8Array", &out)) {
    return NULL;
  }
  size_t count = children.length / CHILDREN_BYTES;
  if (children.length % CHILDREN_BYTES != 0) return throw_argument(env, "The children must be pairs of 32 bytes each");
  if (out.length / HASH_BYTES < count) return throw_argument(env, "The output must have 32 bytes for each pair");
  for (size_t at = 0; at < count; at += HASH_BATCH) {
    size_t some = count - at < HASH_BATCH ? count - at : HASH_BATCH;
    for (size_t i = 0; i < some; i++) {
      put_node(children.data + (at + i) * CHILDREN_BYTES, rooms[i]);
      nodes[i] = (struct padded){rooms[i], NODE_ROOM / BLOCK_BYTES, out.data + (at + i) * HASH_BYTES};
    }
    sha256_many(nodes, some);
  }
  return NULL;
}

/* 00 and the message, padded to whole blocks; gives how many. */
static size_t put_leaf(const uint8_t *message, size_t length, uint8_t *room) {
  size_t blocks = (1 + length + 9 + BLOCK_BYTES - 1) / BLOCK_BYTES;
  uint8_t *end = room + blocks * BLOCK_BYTES;
  uint64_t bits = __builtin_bswap64((uint64_t)(1 + length) * 8);
  room[0] = 0;
  memcpy(room + 1, message, length);
  memset(room + 1 + length, 0, (size_t)(end - room) - 1 - length);
  room[1 + length] = 0x80;
  memcpy(end - sizeof bits, &bits, sizeof bits);
  return blocks;
}

/* sha256Leaves(messages, ends, out): the hash of each message, which ends where `ends` says, and begins where the one before ends. */
napi_value sha256_leaves(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  napi_typedarray_type type;
  struct bytes messages, out;
  void *data = NULL;
  size_t count = 0, start = 0;
  uint8_t rooms[HASH_BATCH][LONGEST_LEAF + 2 * BLOCK_BYTES];
  struct padded leaves[HASH_BATCH];
  if (!read_arguments(env, info, 3, arguments) || !read_uint8_array(env, arguments[0], "The messages must be a Uint8Array", &messages) ||
      !read_uint8_array(env, arguments[2], "The output must be a Uint8Array", &out)) {
    return NULL;
  }
  if (napi_get_typedarray_info(env, arguments[1], &type, &count, &data, NULL, NULL) != napi_ok || type != napi_uint32_array) {
    return throw_argument(env, "The ends must be a Uint32Array");
  }
  const uint32_t *ends = data;
  if (out.length / HASH_BYTES < count) return throw_argument(env, "The output must have 32 bytes for each message");
  for (size_t at = 0; at < count; at += HASH_BATCH) {
    size_t some = count - at < HASH_BATCH ? count - at : HASH_BATCH;
    for (size_t i = 0; i < some; i++) {
      size_t end = ends[at + i];
      if (end < start || end > messages.length || end - start > LONGEST_LEAF) {
        return throw_argument(env, "The ends must grow by 1024 bytes at most, up to that of the messages");
      }
      leaves[i].bytes = rooms[i];
      leaves[i].blocks = put_leaf(messages.data + start, end - start, rooms[i]);
      leaves[i].out = out.data + (at + i) * HASH_BYTES;
      start = end;
    }
    sha256_many(leaves, some);
  }
  return NULL;
}

/* The typed arrays that a page's outcome goes into: leaves, ends, runs, and four numbers of the whole page. */
static bool read_room(napi_env env, const napi_value *arguments, struct ledger_page *page, double **told) {
  static const napi_typedarray_type types[] = {napi_uint8_array, napi_uint32_array, napi_float64_array, napi_float64_array};
  const size_t needed[] = {page->count * HASH_BYTES, page->count, page->count * RUN_NUMBERS, 4};
  void *data[4] = {NULL};
  for (int i = 0; i < 4; i++) {
    napi_typedarray_type type;
    size_t length = 0;
    if (napi_get_typedarray_info(env, arguments[i], &type, &length, &data[i], NULL, NULL) != napi_ok || type != types[i] ||
        length < needed[i]) {
      throw_argument(env, "The room must be leaves, ends and runs for every row, and four numbers");
      return false;
    }
  }
  page->leaves = data[0];
  page->ends = data[1];
  page->runs = data[2];
  *told = data[3];
  return true;
}

/*
 * checkEntryPage(page, count, version, keyId, sequence, timestamp, entryHash, leaves, ends, runs, told) -> how many rows hold. `told` gets
 * the number of runs, the time of the newest row that holds, how often the clock went back, and where it did first.
 */
napi_value check_entry_page(napi_env env, napi_callback_info info) {
  napi_value arguments[11], result;
  struct bytes bytes, key_id, before;
  struct ledger_page page = {0};
  double count = 0, version = 0, sequence = 0, timestamp = 0;
  double *told = NULL;
  if (!read_arguments(env, info, 11, arguments) || !read_uint8_array(env, arguments[0], "The page must be a Uint8Array", &bytes) ||
      !read_whole_number(env, arguments[1], UINT32_MAX, "The count", &count) ||
      !read_whole_number(env, arguments[2], UINT32_MAX, "The format version", &version) ||
      !read_uint8_array(env, arguments[3], "The key id must be a Uint8Array", &key_id) ||
      !read_whole_number(env, arguments[4], LARGEST_NUMBER, "The sequence", &sequence) ||
      !read_whole_number(env, arguments[5], LARGEST_NUMBER, "The time", &timestamp) ||
      !read_uint8_array(env, arguments[6], "The hash before must be a Uint8Array", &before)) {
    return NULL;
  }
  if (before.length != HASH_BYTES) return throw_argument(env, "The hash before must be 32 bytes");
  if (bytes.length > UINT32_MAX) return throw_argument(env, "The page must be below 4 GiB");
  page.bytes = bytes.data;
  page.length = bytes.length;
  page.count = (size_t)count;
  page.version = (uint64_t)version;
  page.key_id = key_id.length > 0 ? key_id.data : (const uint8_t *)"";
  page.key_id_length = key_id.length;
  page.sequence = (uint64_t)sequence;
  page.timestamp = (uint64_t)timestamp;
  page.entry_hash = before.data;
  if (!read_room(env, arguments + 7, &page, &told)) return NULL;
  size_t rows = check_ledger_page(&page);
  told[0] = (double)page.run_count;
  told[1] = (double)page.timestamp;
  told[2] = (double)page.clock_went_back;
  told[3] = page.first_clock_went_back;
  return is_ok(env, napi_create_double(env, (double)rows, &result)) ? result : NULL;
}

/*
 * hashCode(number) -> the name of the code that hashes from now on, or undefined where this processor cannot run that one;
 * without a number the code that is in use.
 */
napi_value name_hash_code(napi_env env, napi_callback_info info) {
  napi_value argument, name;
  napi_valuetype type;
  double number = 0;
  if (!read_arguments(env, info, 1, &argument) || !is_ok(env, napi_typeof(env, argument, &type))) return NULL;
  if (type != napi_undefined) {
    if (!read_whole_number(env, argument, UINT32_MAX, "The number", &number)) return NULL;
    if (!choose_hash_code((uint32_t)number)) return NULL;
  }
  return is_ok(env, napi_create_string_latin1(env, hash_code()->name, NAPI_AUTO_LENGTH, &name)) ? name : NULL;
}
