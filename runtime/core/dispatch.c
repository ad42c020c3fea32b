/* Which instruction sets were built in, and which of them this processor can run. */
#include "internal.h"

extern const kd_kernels kd_kernels_scalar_f32, kd_kernels_scalar_f64;
#ifdef KD_WITH_X86
extern const kd_kernels kd_kernels_avx2_f32, kd_kernels_avx2_f64;
extern const kd_kernels kd_kernels_avx512_f32, kd_kernels_avx512_f64;
#endif

enum { KD_ISAS = 3 };

/* Best first. */
static const kd_isa isas[KD_ISAS] = {
#ifdef KD_WITH_X86
    {"avx512", &kd_kernels_avx512_f32, &kd_kernels_avx512_f64},
    {"avx2", &kd_kernels_avx2_f32, &kd_kernels_avx2_f64},
#endif
    {"scalar", &kd_kernels_scalar_f32, &kd_kernels_scalar_f64},
};

static int equal(const char *a, const char *b) {
    while (*a && *a == *b) ++a, ++b;
    return *a == *b;
}

static int runs_here(const kd_isa *isa) {
    if (isa->name == NULL) return 0;
#ifdef KD_WITH_X86
    if (equal(isa->name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (equal(isa->name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return 1;
}

const kd_isa *kd_find_isa(const char *name) {
    size_t k;
    for (k = 0; k < KD_ISAS; ++k)
        if (runs_here(&isas[k]) && (name == NULL || equal(isas[k].name, name))) return &isas[k];
    return NULL;
}

const char *kd_isa_name(size_t index) {
    size_t k;
    for (k = 0; k < KD_ISAS; ++k)
        if (runs_here(&isas[k]) && index-- == 0) return isas[k].name;
    return NULL;
}
