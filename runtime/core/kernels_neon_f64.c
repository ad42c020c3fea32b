#define KD_BITS 64
#include "internal.h"

#include "simd_neon.h"

#include "kernels.inc"
