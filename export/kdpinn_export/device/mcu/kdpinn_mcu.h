/* One model, evaluated from constant data: no libc, no allocation, no state. */
#ifndef KDPINN_MCU_H
#define KDPINN_MCU_H

/* y (outputs) = model at x (inputs), both in the units of the model; answers.h has how many they are. */
#ifdef __cplusplus
extern "C"
#endif
void kdpinn_eval(const float *x, float *y);

#endif
