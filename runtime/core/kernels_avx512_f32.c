#define KD_BITS 32
#include "internal.h"

#include "simd_avx512.h"

#include "kernels.inc"
