#define KD_BITS 32
#include "internal.h"

#include "simd_scalar.h"

#include "kernels.inc"
