/* How long the core takes to load a file, and how much stack; built by loading.py.
 *
 *     loading FILE      prints "bytes milliseconds stack"
 *
 * The core allocates nothing: what loading needs beside the file is the kd_model, which the caller
 * owns, and stack. The stack is painted before, and looked at after. */
#include "exercise.h"

#include <pthread.h>
#include <time.h>

enum { STACK = 256 << 10, PAINT = 0xA5 };
static struct { const uint8_t *bytes; size_t size; kd_status status; double best_ms; } job;

static double now_ms(void) { /* processor time: other work on the machine does not count */
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void *load_on_this_stack(void *argument) {
    kd_model model;
    int round;
    job.best_ms = 1e30;
    for (round = 0; round < 7; ++round) {
        const double start = now_ms();
        job.status = kd_load(&model, job.bytes, job.size);
        const double passed = now_ms() - start;
        if (passed < job.best_ms) job.best_ms = passed;
    }
    return argument;
}

static void *nothing(void *argument) { return argument; }

/* Bytes of stack that a thread running `body` touches. */
static size_t stack_of(void *(*body)(void *)) {
    uint8_t *stack = exactly(STACK);
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;
    memset(stack, PAINT, STACK);
    demand(pthread_attr_init(&attributes) == 0, "no attributes");
    demand(pthread_attr_setstack(&attributes, stack, STACK) == 0, "no stack");
    demand(pthread_create(&thread, &attributes, body, NULL) == 0, "no thread");
    pthread_join(thread, NULL);
    while (untouched < STACK && stack[untouched] == PAINT) ++untouched;
    free(stack);
    return STACK - untouched;
}

int main(int argc, char **argv) {
    const size_t most = 64 << 20;
    uint8_t *bytes = exactly(most);
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t thread, loading;
    if (file == NULL) return 2;
    job.bytes = bytes, job.size = fread(bytes, 1, most, file);
    fclose(file);
    thread = stack_of(nothing), loading = stack_of(load_on_this_stack);
    if (job.status != KD_OK) return 1;
    printf("%zu %.4f %zu\n", job.size, job.best_ms, loading > thread ? loading - thread + sizeof(kd_model) : 0);
    return 0;
}
