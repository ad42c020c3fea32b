/* The little that main.c needs of a machine: a Cortex-M under an emulator, or any hosted system. */
#ifndef KDPINN_BOARD_H
#define KDPINN_BOARD_H

#include <stdint.h>

#if defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' /* startup_arm.c */

void board_begin(void);
void board_say(const char *name, uint32_t value);
uint32_t board_clock(void); /* counts up */
uint32_t board_stack(void); /* deepest so far, bytes */
void board_end(int passed);

#else

#include <stdio.h>

static void board_begin(void) {}
static void board_say(const char *name, uint32_t value) { printf("%s %lu\n", name, (unsigned long)value); }
static uint32_t board_clock(void) { return 0; }
static uint32_t board_stack(void) { return 0; }
static void board_end(int passed) { puts(passed ? "passed" : "FAILED"); }

#endif
#endif
