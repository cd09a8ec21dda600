/* What every processor of the architecture has: SSE2, or NEON. */
#include "hash.h"

#define LANES 4
#define BLAKE3_CODE blake3_base
#define SHA256_CODE sha256_base
#include "hash-lanes.h"
