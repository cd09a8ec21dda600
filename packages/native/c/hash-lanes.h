/*
 * BLAKE3 and SHA-256 of LANES messages side by side: lane i of each vector belongs to message i. Included once by each
 * hash-lanes-*.c, which says LANES, the names and the instruction set. The vectors are the compiler's own (GCC and clang), so
 * that one source serves every processor. A message that has ended, or is none, goes through the motions, and its lane
 * keeps what it had.
 */
#include <string.h>

typedef uint32_t lanes_t __attribute__((vector_size(4 * LANES)));

#define INLINE static inline __attribute__((always_inline))

/* Every lane the same. */
INLINE lanes_t all(uint32_t word) { return word - (lanes_t){0}; }

INLINE lanes_t lanes_of(const uint32_t *words) {
  lanes_t lanes;
  memcpy(&lanes, words, sizeof lanes);
  return lanes;
}

/* New where the mask is set in all its bits, old where it is 0. */
INLINE lanes_t choose(lanes_t mask, lanes_t new, lanes_t old) { return (new & mask) | (old & ~mask); }

#if LANES == 4
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#endif

/* Rows become columns: as many times as LANES has bits, the first half is dealt between the second. */
INLINE void transpose(lanes_t *square) {
  for (int step = 1; step < LANES; step *= 2) {
    lanes_t dealt[LANES];
    for (int i = 0; i < LANES / 2; i++) {
      dealt[2 * i] = LOW(square[i], square[i + LANES / 2]);
      dealt[2 * i + 1] = HIGH(square[i], square[i + LANES / 2]);
    }
    memcpy(square, dealt, sizeof dealt);
  }
}

/* The 16 words of a block of every message. */
INLINE void load_blocks(const uint8_t *const *blocks, lanes_t *words) {
  for (int part = 0; part < 16 / LANES; part++) {
    for (int lane = 0; lane < LANES; lane++) memcpy(&words[part * LANES + lane], blocks[lane] + part * sizeof(lanes_t), sizeof(lanes_t));
    transpose(words + part * LANES);
  }
}

/* The 8 words of each message that is one. */
INLINE void store_words(const lanes_t *state, size_t count, uint8_t *const *outs) {
  for (size_t lane = 0; lane < count; lane++) {
    for (int i = 0; i < 8; i++) {
      uint32_t word = state[i][lane];
      memcpy(outs[lane] + 4 * i, &word, sizeof word);
    }
  }
}

/* Which words of the block each round takes (section 2.2 of the BLAKE3 paper). */
static const uint8_t schedule[7][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1}, {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4}, {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

INLINE void blake3_round(lanes_t *v, const lanes_t *m, const uint8_t *at) {
  BLAKE3_MIX(v[0], v[4], v[8], v[12], m[at[0]], m[at[1]]);
  BLAKE3_MIX(v[1], v[5], v[9], v[13], m[at[2]], m[at[3]]);
  BLAKE3_MIX(v[2], v[6], v[10], v[14], m[at[4]], m[at[5]]);
  BLAKE3_MIX(v[3], v[7], v[11], v[15], m[at[6]], m[at[7]]);
  BLAKE3_MIX(v[0], v[5], v[10], v[15], m[at[8]], m[at[9]]);
  BLAKE3_MIX(v[1], v[6], v[11], v[12], m[at[10]], m[at[11]]);
  BLAKE3_MIX(v[2], v[7], v[8], v[13], m[at[12]], m[at[13]]);
  BLAKE3_MIX(v[3], v[4], v[9], v[14], m[at[14]], m[at[15]]);
}

/* What the lanes of one block need beside its words. */
struct block_lanes {
  uint32_t length[LANES], flags[LANES], is_there[LANES];
};

/* Points at a block of each chunk; a last one that is not whole is copied, and chunks that have none read zeros. */
INLINE void take_blocks(const struct chunk *chunks, size_t count, size_t at, uint32_t flags, uint32_t last_flags, uint8_t (*copies)[BLOCK_BYTES],
                        const uint8_t **blocks, struct block_lanes *taken) {
  static const uint8_t zeros[BLOCK_BYTES];
  for (size_t lane = 0; lane < LANES; lane++) {
    size_t length = lane < count ? chunks[lane].length : 0;
    bool is_there = lane < count && (at < length || at == 0);
    size_t left = is_there ? length - at : 0;
    bool is_last = left <= BLOCK_BYTES;
    blocks[lane] = left < BLOCK_BYTES ? zeros : chunks[lane].bytes + at;
    if (left > 0 && left < BLOCK_BYTES) {
      memset(copies[lane], 0, BLOCK_BYTES);
      memcpy(copies[lane], chunks[lane].bytes + at, left);
      blocks[lane] = copies[lane];
    }
    taken->is_there[lane] = is_there ? UINT32_MAX : 0;
    taken->length[lane] = (uint32_t)(is_last ? left : BLOCK_BYTES);
    taken->flags[lane] = flags | (at == 0 ? CHUNK_START : 0) | (is_last ? CHUNK_END | last_flags : 0);
  }
}

static void hash_chunks(const struct chunk *chunks, size_t count, const uint32_t *key, uint32_t flags, uint32_t last_flags) {
  uint8_t copies[LANES][BLOCK_BYTES];
  const uint8_t *blocks[LANES];
  uint8_t *outs[LANES];
  uint32_t low[LANES] = {0}, high[LANES] = {0};
  lanes_t cv[8];
  size_t longest = 1;
  for (size_t lane = 0; lane < count; lane++) {
    if (chunks[lane].length > longest) longest = chunks[lane].length;
    low[lane] = (uint32_t)chunks[lane].number;
    high[lane] = (uint32_t)(chunks[lane].number >> 32);
    outs[lane] = chunks[lane].out;
  }
  for (int i = 0; i < 8; i++) cv[i] = all(key[i]);
  for (size_t at = 0; at < longest; at += BLOCK_BYTES) {
    struct block_lanes taken;
    lanes_t words[16], v[16];
    take_blocks(chunks, count, at, flags, last_flags, copies, blocks, &taken);
    load_blocks(blocks, words);
    for (int i = 0; i < 8; i++) v[i] = cv[i];
    for (int i = 0; i < 4; i++) v[8 + i] = all(blake3_start[i]);
    v[12] = lanes_of(low), v[13] = lanes_of(high), v[14] = lanes_of(taken.length), v[15] = lanes_of(taken.flags);
#pragma GCC unroll 7
    for (int round = 0; round < 7; round++) blake3_round(v, words, schedule[round]);
    for (int i = 0; i < 8; i++) cv[i] = choose(lanes_of(taken.is_there), v[i] ^ v[i + 8], cv[i]);
  }
  store_words(cv, count, outs);
}

#define SWAP_BYTES(x) ((ROTATE(x, 8) & 0xff00ff00) | (ROTATE(x, 24) & 0x00ff00ff))

/* FIPS 180-4, section 6.2.2: 16 rounds with the words there are, which then make way for the next 16. */
INLINE void sha256_rounds(lanes_t *s, lanes_t *w, const uint32_t *constants) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    const lanes_t a = s[-i & 7], e = s[(4 - i) & 7], f = s[(5 - i) & 7], g = s[(6 - i) & 7], b = s[(1 - i) & 7], c = s[(2 - i) & 7];
    const lanes_t sum = s[(7 - i) & 7] + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)) + (g ^ (e & (f ^ g))) + constants[i] + w[i];
    s[(3 - i) & 7] += sum;
    s[(7 - i) & 7] = sum + (ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((a & b) ^ (c & (a ^ b)));
  }
}

INLINE void sha256_expand(lanes_t *w) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    const lanes_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];
    w[i] += (ROTATE(x, 7) ^ ROTATE(x, 18) ^ (x >> 3)) + w[(i + 9) & 15] + (ROTATE(y, 17) ^ ROTATE(y, 19) ^ (y >> 10));
  }
}

static void hash_padded(const struct padded *messages, size_t count) {
  static const uint8_t zeros[BLOCK_BYTES];
  lanes_t state[8];
  uint8_t *outs[LANES];
  size_t most = 0;
  for (size_t lane = 0; lane < count; lane++) {
    if (messages[lane].blocks > most) most = messages[lane].blocks;
    outs[lane] = messages[lane].out;
  }
  for (int i = 0; i < 8; i++) state[i] = all(sha256_start[i]);
  for (size_t at = 0; at < most; at++) {
    const uint8_t *blocks[LANES];
    uint32_t is_there[LANES];
    lanes_t w[16], s[8];
    for (size_t lane = 0; lane < LANES; lane++) {
      bool has_block = lane < count && at < messages[lane].blocks;
      blocks[lane] = has_block ? messages[lane].bytes + at * BLOCK_BYTES : zeros;
      is_there[lane] = has_block ? UINT32_MAX : 0;
    }
    load_blocks(blocks, w);
    for (int i = 0; i < 16; i++) w[i] = SWAP_BYTES(w[i]);
    for (int i = 0; i < 8; i++) s[i] = state[i];
    for (int part = 0; part < 4; part++) {
      if (part > 0) sha256_expand(w);
      sha256_rounds(s, w, sha256_constants + 16 * part);
    }
    for (int i = 0; i < 8; i++) state[i] = choose(lanes_of(is_there), state[i] + s[i], state[i]);
  }
  for (int i = 0; i < 8; i++) state[i] = SWAP_BYTES(state[i]);
  store_words(state, count, outs);
}

const struct blake3_code BLAKE3_CODE = {LANES, hash_chunks};
const struct sha256_code SHA256_CODE = {LANES, hash_padded};
