/*
 * BLAKE3's compression function for one message (section 2.2 of its paper): the rows of its state are the vectors, whose
 * lanes are mixed at once. SSE2 and NEON are enough, and wider ones would not be faster.
 */
#include "hash.h"

#include <string.h>

typedef uint32_t row_t __attribute__((vector_size(16)));

#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#define TURN(row, i, j, k, l) row = SHUFFLE(row, row, i, j, k, l)

/* Four columns at once, then, with three rows turned, the four diagonals. */
static inline __attribute__((always_inline)) void mix_round(row_t *v, const row_t *m) {
  BLAKE3_MIX(v[0], v[1], v[2], v[3], m[0], m[1]);
  TURN(v[0], 3, 0, 1, 2), TURN(v[3], 2, 3, 0, 1), TURN(v[2], 1, 2, 3, 0);
  BLAKE3_MIX(v[0], v[1], v[2], v[3], m[2], m[3]);
  TURN(v[0], 1, 2, 3, 0), TURN(v[3], 2, 3, 0, 1), TURN(v[2], 3, 0, 1, 2);
}

/* The words of each round are shuffled from those of the one before. */
void blake3_compress(const uint32_t *cv, const uint8_t *block, uint32_t length, uint64_t counter, uint32_t flags, uint32_t *out) {
  row_t m[4], w[4], v[4];
  const row_t tail = {(uint32_t)counter, (uint32_t)(counter >> 32), length, flags};
  memcpy(w, block, sizeof w);
  memcpy(v, cv, 2 * sizeof(row_t));
  memcpy(&v[2], blake3_start, sizeof(row_t));
  v[3] = tail;
  m[0] = SHUFFLE(w[0], w[1], 0, 2, 4, 6), m[1] = SHUFFLE(w[0], w[1], 1, 3, 5, 7);
  m[2] = SHUFFLE(w[2], w[3], 6, 0, 2, 4), m[3] = SHUFFLE(w[2], w[3], 7, 1, 3, 5);
  mix_round(v, m);
#pragma GCC unroll 6
  for (int round = 1; round < 7; round++) {
    memcpy(w, m, sizeof w);
    const row_t edges = SHUFFLE(w[0], w[0], 3, 3, 0, 0), last = SHUFFLE(w[2], w[3], 2, 2, 7, 7);
    const row_t firsts = SHUFFLE(w[3], w[1], 0, 1, 4, 5), middle = SHUFFLE(w[1], w[3], 2, 6, 3, 7);
    m[0] = SHUFFLE(w[0], w[1], 1, 5, 7, 2);
    m[1] = SHUFFLE(edges, last, 0, 5, 2, 7);
    m[2] = SHUFFLE(firsts, w[2], 0, 2, 7, 1);
    m[3] = SHUFFLE(w[2], middle, 1, 5, 4, 0);
    mix_round(v, m);
  }
  const row_t low[2] = {v[0] ^ v[2], v[1] ^ v[3]};
  row_t start[2];
  memcpy(start, cv, sizeof start);
  const row_t high[2] = {v[2] ^ start[0], v[3] ^ start[1]};
  memcpy(out, low, sizeof low);
  memcpy(out + 8, high, sizeof high);
}
