#define KD_BITS 32
#include "internal.h"

#include "simd_neon.h"

#include "kernels.inc"
