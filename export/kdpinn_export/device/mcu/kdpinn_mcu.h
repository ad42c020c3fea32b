/* One model, evaluated from constant data: no libc, no allocation, no state. */
#ifndef KDPINN_MCU_H
#define KDPINN_MCU_H

#include <stdint.h>

/* y (outputs) = model at x (inputs), both in the units of the model; answers.h has how many they are. */
#ifdef __cplusplus
extern "C"
#endif
void kdpinn_eval(const float *x, float *y);

/* Integer weights only: the network without its normalization, by integers alone. z: what is fed to
 * the first layer, in the steps that model_data.h states, sums: of the last layer, in its units. */
#ifdef __cplusplus
extern "C"
#endif
void kdpinn_eval_integers(const int32_t *z, int32_t *sums);

#endif
