#define KD_BITS 64
#include "internal.h"

#include "simd_scalar.h"

#include "kernels.inc"
