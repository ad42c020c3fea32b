/* Which instruction sets were built in, and which of them this processor can run.
 *
 * KD_WITH_X86, KD_WITH_NEON: that family is built in beside the scalar code. KD_ONLY: the single set of
 * an amalgamated build, whose compiler was told that the processor has it. */
#include "internal.h"

#if defined(KD_WITH_X86) && !defined(KD_ONLY)
#include <cpuid.h>
#endif

#ifdef KD_NO_F32
#define F32(isa) NULL
#else
#define F32(isa) &kd_kernels_##isa##_f32
#endif
#ifdef KD_NO_F64
#define F64(isa) NULL
#else
#define F64(isa) &kd_kernels_##isa##_f64
#endif
#define ROW(isa) {#isa, F32(isa), F64(isa)}
#define ROW_OF(macro) ROW(macro) /* expands its argument first */

#ifndef KD_ONLY
extern const kd_kernels kd_kernels_scalar_f32, kd_kernels_scalar_f64;
#ifdef KD_WITH_X86
extern const kd_kernels kd_kernels_avx2_f32, kd_kernels_avx2_f64;
extern const kd_kernels kd_kernels_avx512_f32, kd_kernels_avx512_f64;
#endif
#ifdef KD_WITH_NEON
extern const kd_kernels kd_kernels_neon_f32, kd_kernels_neon_f64;
#endif
#endif

/* Best first. */
static const kd_isa isas[] = {
#if defined(KD_ONLY)
    ROW_OF(KD_ONLY),
#else
#ifdef KD_WITH_X86
    ROW(avx512),
    ROW(avx2),
#endif
#ifdef KD_WITH_NEON
    ROW(neon),
#endif
    ROW(scalar),
#endif
};
enum { ISAS = sizeof isas / sizeof *isas };

static int equal(const char *a, const char *b) {
    while (*a && *a == *b) ++a, ++b;
    return *a == *b;
}

#if defined(KD_WITH_X86) && !defined(KD_ONLY)
/* Every processor with AVX2 has it, but a virtual machine may not say so. The compilers' own question
 * knows it only in late versions. */
static int has_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}
#endif

static int runs_here(const kd_isa *isa) {
#if defined(KD_WITH_X86) && !defined(KD_ONLY)
    if (equal(isa->name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (equal(isa->name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
#endif
    return isa->name != NULL; /* NEON is part of every AArch64 */
}

const kd_isa *kd_find_isa(const char *name) {
    size_t k;
    for (k = 0; k < ISAS; ++k)
        if (runs_here(&isas[k]) && (name == NULL || equal(isas[k].name, name))) return &isas[k];
    return NULL;
}

const char *kd_isa_name(size_t index) {
    size_t k;
    for (k = 0; k < ISAS; ++k)
        if (runs_here(&isas[k]) && index-- == 0) return isas[k].name;
    return NULL;
}
