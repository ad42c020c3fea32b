#define KD_BITS 64
#include "internal.h"

#include "simd_avx512.h"

#include "kernels.inc"
