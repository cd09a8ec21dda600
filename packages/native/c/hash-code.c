/* The constants of both hashes, and which code runs. */
#include "hash.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

/* FIPS 180-4, sections 5.3.3 and 4.2.2. BLAKE3 starts from the same words. */
const uint32_t sha256_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
const uint32_t blake3_start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const struct hash_code codes[] = {
    {"base", &blake3_base, &sha256_base},
#ifdef __x86_64__
    {"sha", &blake3_base, &sha256_ni},
    {"avx2", &blake3_avx2, &sha256_avx2},
    {"avx2,sha", &blake3_avx2, &sha256_ni},
#endif
};
enum { CODES = sizeof codes / sizeof codes[0] };

/* Set by whichever thread comes first; all would set the same. */
static const struct hash_code *_Atomic chosen;

#ifdef __x86_64__
/* Leaf 7 of cpuid, EBX bit 29: GCC 12 has no name for it. The instructions use registers that every system keeps. */
static bool has_sha(void) {
  uint32_t a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1U << 29) && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
}

static bool is_supported(uint32_t number) {
  __builtin_cpu_init();
  bool needs_sha = number == 1 || number == 3;
  return (!needs_sha || has_sha()) && (number < 2 || __builtin_cpu_supports("avx2"));
}
#else
static bool is_supported(uint32_t number) { return number == 0; }
#endif

const struct hash_code *hash_code(void) {
  const struct hash_code *code = chosen;
  if (code != NULL) return code;
  uint32_t number = CODES - 1;
  while (!is_supported(number)) number--;
  chosen = &codes[number];
  return &codes[number];
}

bool choose_hash_code(uint32_t number) {
  if (number >= CODES || !is_supported(number)) return false;
  chosen = &codes[number];
  return true;
}
