/* What the files of FMI 3.0 share: leaving a function of the standard where a call is not allowed. */
#ifndef KDPINN_FMI3_H
#define KDPINN_FMI3_H

#include "block.h"
#include "fmi3Functions.h"

#define ENTER(instance, stages)                                               \
    do {                                                                      \
        const block_status entered = block_enter(instance, stages, __func__); \
        if (entered != BLOCK_OK) return (fmi3Status)entered;                  \
    } while (0)
#define EXPECT(instance, condition, what)                                     \
    do {                                                                      \
        if (!(condition)) return (fmi3Status)block_fail(instance, what);      \
    } while (0)

#endif
