#define KD_BITS 32
#include "internal.h"

#include "simd_avx2.h"

#include "kernels.inc"
