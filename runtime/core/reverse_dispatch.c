#include "reverse.h"

extern const kd_reverse kd_reverse_scalar;
#ifdef KD_WITH_X86
extern const kd_reverse kd_reverse_avx2, kd_reverse_avx512;
#endif
#ifdef KD_WITH_NEON
extern const kd_reverse kd_reverse_neon;
#endif

const kd_reverse *kd_find_reverse(const char *name) {
    const kd_isa *isa = kd_find_isa(name);
    if (isa == NULL) return NULL;
#ifdef KD_WITH_X86
    if (isa->f64->lanes == 8) return &kd_reverse_avx512;
    if (isa->f64->lanes == 4) return &kd_reverse_avx2;
#endif
#ifdef KD_WITH_NEON
    if (isa->f64->lanes == 2) return &kd_reverse_neon;
#endif
    return &kd_reverse_scalar;
}
