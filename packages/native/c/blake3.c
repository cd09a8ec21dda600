/*
 * BLAKE3 above its chunks: the tree of one message (sections 2.4, 2.5 and 5.1.2 of its paper), and many messages. Nothing
 * is allocated; a stack of 54 chaining values is enough for 2^64 bytes.
 */
#include "hash.h"

#include <string.h>

/* `MOST_MESSAGES` are put in order at once. */
enum { MOST_DEPTH = 54, MOST_MESSAGES = 32 };

/* Chaining values of complete subtrees, the largest first: one for each bit that is set in the number of chunks. */
struct subtrees {
  uint32_t cvs[MOST_DEPTH][8];
  size_t count;
};

/* A compression that has not been made yet: the last one of a message is the root, and gives as much output as is wanted. */
struct output {
  uint32_t cv[8];
  uint8_t block[BLOCK_BYTES];
  uint32_t length;
  uint64_t counter;
  uint32_t flags;
};

static void take_cv(const struct output *output, uint32_t *cv) {
  uint32_t words[16];
  blake3_compress(output->cv, output->block, output->length, output->counter, output->flags, words);
  memcpy(cv, words, HASH_BYTES);
}

static void write_root(const struct output *output, uint8_t *out, size_t size) {
  for (uint64_t at = 0; at * BLOCK_BYTES < size; at++) {
    uint32_t words[16];
    size_t left = size - at * BLOCK_BYTES;
    blake3_compress(output->cv, output->block, output->length, at, output->flags | ROOT, words);
    memcpy(out + at * BLOCK_BYTES, words, left < BLOCK_BYTES ? left : BLOCK_BYTES);
  }
}

static void join(const uint32_t *left, const uint32_t *right, const uint32_t *key, uint32_t flags, struct output *parent) {
  memcpy(parent->cv, key, HASH_BYTES);
  memcpy(parent->block, left, HASH_BYTES);
  memcpy(parent->block + HASH_BYTES, right, HASH_BYTES);
  parent->length = BLOCK_BYTES;
  parent->counter = 0;
  parent->flags = flags | PARENT;
}

/* Adds a chunk of which there is a next one; `chunks` counts it. */
static void add_cv(struct subtrees *trees, const uint32_t *cv, uint64_t chunks, const uint32_t *key, uint32_t flags) {
  memcpy(trees->cvs[trees->count++], cv, HASH_BYTES);
  for (; chunks % 2 == 0; chunks /= 2) {
    struct output parent;
    trees->count -= 1;
    join(trees->cvs[trees->count - 1], trees->cvs[trees->count], key, flags, &parent);
    take_cv(&parent, trees->cvs[trees->count - 1]);
  }
}

/* The last chunk, up to its last block. */
static void finish_chunk(const uint8_t *bytes, size_t length, uint64_t number, const uint32_t *key, uint32_t flags,
                         struct output *last) {
  uint32_t start = CHUNK_START;
  memcpy(last->cv, key, HASH_BYTES);
  for (; length > BLOCK_BYTES; bytes += BLOCK_BYTES, length -= BLOCK_BYTES) {
    uint32_t words[16];
    blake3_compress(last->cv, bytes, BLOCK_BYTES, number, flags | start, words);
    memcpy(last->cv, words, HASH_BYTES);
    start = 0;
  }
  memset(last->block, 0, BLOCK_BYTES);
  if (length > 0) memcpy(last->block, bytes, length);
  last->length = (uint32_t)length;
  last->counter = number;
  last->flags = flags | start | CHUNK_END;
}

/* All chunks but the last, side by side. Gives how many there are. */
static uint64_t add_chunks(const uint8_t *bytes, size_t length, const uint32_t *key, uint32_t flags,
                           struct subtrees *trees) {
  const struct blake3_code *code = hash_code()->blake3;
  uint64_t whole = length == 0 ? 0 : (length - 1) / CHUNK_BYTES;
  for (uint64_t at = 0; at < whole;) {
    struct chunk chunks[MOST_LANES];
    uint32_t cvs[MOST_LANES][8];
    size_t count = whole - at < code->lanes ? (size_t)(whole - at) : code->lanes;
    for (size_t i = 0; i < count; i++) {
      chunks[i] = (struct chunk){bytes + (at + i) * CHUNK_BYTES, CHUNK_BYTES, at + i, (uint8_t *)cvs[i]};
    }
    code->hash_chunks(chunks, count, key, flags, 0);
    for (size_t i = 0; i < count; i++) add_cv(trees, cvs[i], at + i + 1, key, flags);
    at += count;
  }
  return whole;
}

void blake3(const uint8_t *bytes, size_t length, const uint32_t *key, uint32_t flags, uint8_t *out, size_t size) {
  struct subtrees trees = {.count = 0};
  struct output last;
  uint64_t whole = add_chunks(bytes, length, key, flags, &trees);
  finish_chunk(bytes + whole * CHUNK_BYTES, length - whole * CHUNK_BYTES, whole, key, flags, &last);
  while (trees.count > 0) {
    uint32_t cv[8];
    take_cv(&last, cv);
    trees.count -= 1;
    join(trees.cvs[trees.count], cv, key, flags, &last);
  }
  write_root(&last, out, size);
}

/* One more than a chunk has where it is more than one. */
static size_t blocks_of(const struct message *message) {
  return message->length > CHUNK_BYTES ? CHUNK_BYTES / BLOCK_BYTES + 1 : (message->length + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* Chunks side by side take as long as the longest of them: so they go by their blocks, the fewest first. */
static void order_by_blocks(const struct message *messages, size_t count, uint8_t *order) {
  size_t starts[CHUNK_BYTES / BLOCK_BYTES + 3] = {0};
  for (size_t i = 0; i < count; i++) starts[blocks_of(&messages[i]) + 1]++;
  for (size_t i = 1; i < sizeof starts / sizeof starts[0]; i++) starts[i] += starts[i - 1];
  for (size_t i = 0; i < count; i++) order[starts[blocks_of(&messages[i])]++] = (uint8_t)i;
}

static void hash_some(const struct message *messages, size_t count) {
  const struct blake3_code *code = hash_code()->blake3;
  struct chunk chunks[MOST_LANES];
  uint8_t order[MOST_MESSAGES];
  size_t taken = 0;
  order_by_blocks(messages, count, order);
  for (size_t i = 0; i < count; i++) {
    const struct message *message = &messages[order[i]];
    if (message->length > CHUNK_BYTES) {
      blake3(message->bytes, message->length, blake3_start, 0, message->out, HASH_BYTES);
      continue;
    }
    chunks[taken++] = (struct chunk){message->bytes, message->length, 0, message->out};
    if (taken < code->lanes) continue;
    code->hash_chunks(chunks, taken, blake3_start, 0, ROOT);
    taken = 0;
  }
  if (taken > 0) code->hash_chunks(chunks, taken, blake3_start, 0, ROOT);
}

void blake3_many(const struct message *messages, size_t count) {
  for (; count > MOST_MESSAGES; messages += MOST_MESSAGES, count -= MOST_MESSAGES) hash_some(messages, MOST_MESSAGES);
  hash_some(messages, count);
}

void sha256_many(const struct padded *messages, size_t count) {
  const struct sha256_code *code = hash_code()->sha256;
  for (size_t at = 0; at < count; at += code->lanes) {
    code->hash_padded(messages + at, count - at < code->lanes ? count - at : code->lanes);
  }
}
