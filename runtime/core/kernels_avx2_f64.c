#define KD_BITS 64
#include "internal.h"

#include "simd_avx2.h"

#include "kernels.inc"
