/*
 * BLAKE3 and SHA-256 for the ledger. Many messages are hashed at once, by code for instruction sets that not every
 * processor has; which runs is chosen when the first hash is made. All give the same bytes.
 */
#ifndef SENTINELD_NATIVE_HASH_H
#define SENTINELD_NATIVE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error words are read as they lie in memory
#endif

enum { HASH_BYTES = 32, BLOCK_BYTES = 64, CHUNK_BYTES = 1024, MOST_LANES = 8 };

/* Flags of BLAKE3 (section 2.2 of its paper). */
enum {
  CHUNK_START = 1,
  CHUNK_END = 2,
  PARENT = 4,
  ROOT = 8,
  KEYED_HASH = 16,
  DERIVE_KEY_CONTEXT = 32,
  DERIVE_KEY_MATERIAL = 64,
};

/* For words and for vectors of them: to the right by n, and the quarter round of BLAKE3. */
#define ROTATE(x, n) (((x) >> (n)) | ((x) << (32 - (n))))
#define BLAKE3_MIX(a, b, c, d, x, y)                                  \
  a += b + (x), d = ROTATE(d ^ a, 16), c += d, b = ROTATE(b ^ c, 12), \
  a += b + (y), d = ROTATE(d ^ a, 8), c += d, b = ROTATE(b ^ c, 7)

/* One chunk for BLAKE3: up to CHUNK_BYTES bytes, its number in the message, and where its chaining value goes. */
struct chunk {
  const uint8_t *bytes;
  size_t length;
  uint64_t number;
  uint8_t *out;
};

/* A message for SHA-256 that has its padding: `blocks` of 64 bytes, and where the hash goes. */
struct padded {
  const uint8_t *bytes;
  size_t blocks;
  uint8_t *out;
};

/* Code for one instruction set. `lanes` is how many it takes at once. */
struct blake3_code {
  size_t lanes;
  /* 1 to `lanes` chunks; `last_flags` is set for the last block of each, beside what every chunk has. */
  void (*hash_chunks)(const struct chunk *chunks, size_t count, const uint32_t *key, uint32_t flags, uint32_t last_flags);
};
struct sha256_code {
  size_t lanes;
  /* 1 to `lanes` messages. */
  void (*hash_padded)(const struct padded *messages, size_t count);
};

extern const struct blake3_code blake3_base;
extern const struct sha256_code sha256_base;
#ifdef __x86_64__
extern const struct blake3_code blake3_avx2;
extern const struct sha256_code sha256_avx2;
extern const struct sha256_code sha256_ni;
#endif

extern const uint32_t sha256_start[8];
extern const uint32_t sha256_constants[64];
extern const uint32_t blake3_start[8];

struct hash_code {
  const char *name;
  const struct blake3_code *blake3;
  const struct sha256_code *sha256;
};

/* The code that runs: the fastest that this processor has the instructions for. */
const struct hash_code *hash_code(void);

/*
 * Takes other code: 0 is what every processor can run, and each further number is faster. False where this processor
 * cannot run it, or there is none of this number.
 */
bool choose_hash_code(uint32_t number);

/* The compression function of BLAKE3: all 16 words of output. */
void blake3_compress(const uint32_t *cv, const uint8_t *block, uint32_t length, uint64_t counter, uint32_t flags, uint32_t *out);

/* BLAKE3 of one message, with `size` bytes of output. `key` is blake3_start for the plain hash, whose flags are 0. */
void blake3(const uint8_t *bytes, size_t length, const uint32_t *key, uint32_t flags, uint8_t *out, size_t size);

/* A message for blake3_many, and where its 32 bytes go. */
struct message {
  const uint8_t *bytes;
  size_t length;
  uint8_t *out;
};

/* The plain BLAKE3 of each message; those of one chunk side by side. */
void blake3_many(const struct message *messages, size_t count);

/* SHA-256 of each message. */
void sha256_many(const struct padded *messages, size_t count);

#endif
