/* Start, clock and output of a Cortex-M that runs under an emulator with semihosting. */
#include "board.h"

#define SYSTICK ((volatile uint32_t *)0xE000E010u) /* control, reload, current */
#define CPACR (*(volatile uint32_t *)0xE000ED88u)

extern uint32_t image_stack_top[], image_data[], image_data_end[], image_data_load[], image_bss[], image_bss_end[];
int main(void);
void reset(void);

enum { PAINT = 0x5EAF00D5 };

static uint32_t *painted_from; /* lowest word of the painted stack */

static int host(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void fault(void) {
    host(4, "fault\n");
    board_end(0);
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handler[15])(void);
} vectors = {image_stack_top, {reset, fault, fault}};

void reset(void) {
    const uint32_t *from = image_data_load;
    uint32_t *to;
#if defined(__ARM_FP)
    CPACR |= 0xFu << 20; /* the floating-point unit */
    __asm__ volatile("dsb\n\tisb");
#endif
    for (to = image_data; to < image_data_end;) *to++ = *from++;
    for (to = image_bss; to < image_bss_end;) *to++ = 0;
    main();
    for (;;) {}
}

void board_begin(void) {
    uint32_t *const below = (uint32_t *)__builtin_frame_address(0) - 16;
    SYSTICK[1] = 0xFFFFFF, SYSTICK[2] = 0, SYSTICK[0] = 5;
    painted_from = below - 512;
    for (uint32_t *word = painted_from; word < below; ++word) *(volatile uint32_t *)word = PAINT;
}

uint32_t board_clock(void) { return 0xFFFFFF - SYSTICK[2]; }

uint32_t board_stack(void) {
    const uint32_t *word = painted_from;
    while (*(const volatile uint32_t *)word == PAINT) ++word;
    return (uint32_t)((const char *)image_stack_top - (const char *)word);
}

void board_say(const char *name, uint32_t value) {
    char text[12], *at = text + sizeof text - 1;
    *at = 0, *--at = '\n';
    do *--at = (char)('0' + value % 10), value /= 10;
    while (value);
    *--at = ' ';
    host(4, name), host(4, at);
}

void board_end(int passed) {
    uint32_t reason[2] = {0x20026, passed ? 0u : 1u}; /* the application has ended, with this code */
    host(4, passed ? "passed\n" : "FAILED\n");
    host(0x20, reason);
    for (;;) {}
}
