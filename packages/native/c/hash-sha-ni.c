/*
 * SHA-256 by the instructions for it (AMD since 2017, Intel since 2019): two messages at once, because each step of one
 * waits for the one before.
 */
#include "hash.h"

#ifdef __x86_64__
#include <immintrin.h>
#include <string.h>
#pragma GCC target("sha,sse4.1")

enum { PAIR = 2 };

/* The instructions want the words a, b, e, f in one vector and c, d, g, h in the other, the first the highest. */
struct halves {
  __m128i abef, cdgh;
};

static struct halves start_halves(void) {
  const uint32_t *s = sha256_start;
  return (struct halves){_mm_set_epi32((int)s[0], (int)s[1], (int)s[4], (int)s[5]), _mm_set_epi32((int)s[2], (int)s[3], (int)s[6], (int)s[7])};
}

static void write_halves(struct halves state, uint8_t *out) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i feba = _mm_shuffle_epi32(state.abef, 0x1b), dchg = _mm_shuffle_epi32(state.cdgh, 0xb1);
  const __m128i dcba = _mm_blend_epi16(feba, dchg, 0xf0), hgfe = _mm_alignr_epi8(dchg, feba, 8);
  _mm_storeu_si128((__m128i *)out, _mm_shuffle_epi8(dcba, swap));
  _mm_storeu_si128((__m128i *)(out + 16), _mm_shuffle_epi8(hgfe, swap));
}

/* Four rounds; `w` has the last 16 words, of which the oldest four become the next. */
static inline __attribute__((always_inline)) void four_rounds(struct halves *state, __m128i *w, int part) {
  __m128i *oldest = &w[part % 4];
  const __m128i newest = w[(part + 3) % 4];
  if (part >= 4) {
    const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*oldest, w[(part + 1) % 4]), _mm_alignr_epi8(newest, w[(part + 2) % 4], 4));
    *oldest = _mm_sha256msg2_epu32(sum, newest);
  }
  const __m128i sum = _mm_add_epi32(*oldest, _mm_loadu_si128((const __m128i *)(sha256_constants + 4 * part)));
  state->cdgh = _mm_sha256rnds2_epu32(state->cdgh, state->abef, sum);
  state->abef = _mm_sha256rnds2_epu32(state->abef, state->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

static inline __attribute__((always_inline)) void take_blocks(struct halves *states, const uint8_t *const *blocks, int count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i w[PAIR][4];
  struct halves before[PAIR];
  for (int each = 0; each < count; each++) {
    before[each] = states[each];
    for (int i = 0; i < 4; i++) w[each][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks[each] + 16 * i)), swap);
  }
#pragma GCC unroll 16
  for (int part = 0; part < 16; part++) {
#pragma GCC unroll 2
    for (int each = 0; each < count; each++) four_rounds(&states[each], w[each], part);
  }
  for (int each = 0; each < count; each++) {
    states[each].abef = _mm_add_epi32(states[each].abef, before[each].abef);
    states[each].cdgh = _mm_add_epi32(states[each].cdgh, before[each].cdgh);
  }
}

static void hash_padded(const struct padded *messages, size_t count) {
  struct halves states[PAIR] = {start_halves(), start_halves()};
  const struct padded *second = &messages[count - 1];
  size_t both = messages[0].blocks < second->blocks ? messages[0].blocks : second->blocks;
  if (count == 1) both = 0;
  for (size_t at = 0; at < both; at++) {
    const uint8_t *const blocks[PAIR] = {messages[0].bytes + at * BLOCK_BYTES, second->bytes + at * BLOCK_BYTES};
    take_blocks(states, blocks, PAIR);
  }
  for (size_t each = 0; each < count; each++) {
    for (size_t at = both; at < messages[each].blocks; at++) {
      const uint8_t *const block = messages[each].bytes + at * BLOCK_BYTES;
      take_blocks(&states[each], &block, 1);
    }
    write_halves(states[each], messages[each].out);
  }
}

const struct sha256_code sha256_ni = {PAIR, hash_padded};
#endif
