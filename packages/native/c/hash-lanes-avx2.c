/* x86-64 with AVX2: Intel since 2013, AMD since 2015. */
#include "hash.h"

#ifdef __x86_64__
#pragma GCC target("avx2")
#define LANES 8
#define BLAKE3_CODE blake3_avx2
#define SHA256_CODE sha256_avx2
#include "hash-lanes.h"
#endif
