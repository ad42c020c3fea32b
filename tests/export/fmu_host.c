/* Runs an FMU of FMI 2.0 as a simulation tool would, without Python: also under an emulator.
 *
 *     fmu_host LIBRARY TOKEN CYCLES [X ...]
 *
 * Instantiates and frees CYCLES times, each time with a whole small co-simulation, a saved state and
 * derivatives; prints, of the last one, output 32 at the inputs X (references 16, 17, ...), its
 * derivative by each of them, and whether the self-test passed. */
#include "fmi2Functions.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <windows.h>
#define OPEN(path) ((void *)LoadLibraryA(path))
#define FIND(library, name) ((void *)(size_t)GetProcAddress((HMODULE)(library), name))
#else
#include <dlfcn.h>
#define OPEN(path) dlopen(path, RTLD_NOW | RTLD_LOCAL)
#define FIND(library, name) dlsym(library, name)
#endif

enum { FIRST_OUTPUT = 32, FIRST_INPUT = 16, OUTSIDE = 4, SELFTEST = 5, MOST = 16 };

static void *library;

static void *find(const char *name) {
    void *const function = FIND(library, name);
    if (function == NULL) fprintf(stderr, "%s is missing\n", name), exit(3);
    return function;
}
/* A pointer to data becomes one to a function through memory, as POSIX has it. */
#define CALL(name) (memcpy(&name##_, (found = find(#name), &found), sizeof found), name##_)
#define DECLARE(name) static name##TYPE *name##_
static void *found;
DECLARE(fmi2Instantiate);
DECLARE(fmi2FreeInstance);
DECLARE(fmi2SetupExperiment);
DECLARE(fmi2EnterInitializationMode);
DECLARE(fmi2ExitInitializationMode);
DECLARE(fmi2SetReal);
DECLARE(fmi2GetReal);
DECLARE(fmi2GetBoolean);
DECLARE(fmi2DoStep);
DECLARE(fmi2GetDirectionalDerivative);
DECLARE(fmi2GetFMUstate);
DECLARE(fmi2SetFMUstate);
DECLARE(fmi2FreeFMUstate);
DECLARE(fmi2SerializedFMUstateSize);
DECLARE(fmi2SerializeFMUstate);
DECLARE(fmi2DeSerializeFMUstate);
DECLARE(fmi2Terminate);

static void say(fmi2ComponentEnvironment environment, fmi2String name, fmi2Status status, fmi2String category,
                fmi2String text, ...) {
    (void)environment, (void)name, (void)status, (void)category;
    fprintf(stderr, "%s\n", text);
}

static void demand(int good, const char *what) {
    if (!good) fprintf(stderr, "%s failed\n", what), exit(4);
}

static void saved_and_back(fmi2Component block) {
    fmi2FMUstate state = NULL, again = NULL;
    size_t size;
    char *bytes;
    demand(CALL(fmi2GetFMUstate)(block, &state) == fmi2OK, "get state");
    demand(CALL(fmi2SerializedFMUstateSize)(block, state, &size) == fmi2OK, "size");
    bytes = malloc(size);
    demand(CALL(fmi2SerializeFMUstate)(block, state, bytes, size) == fmi2OK, "serialize");
    demand(CALL(fmi2DeSerializeFMUstate)(block, bytes, size, &again) == fmi2OK, "deserialize");
    free(bytes);
    demand(CALL(fmi2SetFMUstate)(block, again) == fmi2OK, "set state");
    demand(CALL(fmi2GetFMUstate)(block, &state) == fmi2OK, "get state again"); /* in place of the first */
    demand(CALL(fmi2FreeFMUstate)(block, &state) == fmi2OK, "free state");
    demand(CALL(fmi2FreeFMUstate)(block, &again) == fmi2OK && again == NULL, "free state");
}

static void cycle(const char *token, unsigned inputs, const fmi2ValueReference *references, const double *x, int print) {
    static const fmi2CallbackFunctions callbacks = {say, calloc, free, NULL, NULL};
    const fmi2ValueReference output = FIRST_OUTPUT, flags[] = {OUTSIDE, SELFTEST};
    const fmi2Component block = CALL(fmi2Instantiate)("one", fmi2CoSimulation, token, "", &callbacks, 0, 0);
    const double one = 1;
    fmi2Boolean outside, passed;
    double u, slope;
    unsigned k;
    demand(block != NULL, "instantiate");
    demand(CALL(fmi2SetupExperiment)(block, 0, 0, 0, 0, 0) == fmi2OK, "setup");
    demand(CALL(fmi2EnterInitializationMode)(block) == fmi2OK, "initialize");
    demand(CALL(fmi2ExitInitializationMode)(block) == fmi2OK, "initialized");
    demand(CALL(fmi2SetReal)(block, references, inputs, x) == fmi2OK, "set");
    demand(CALL(fmi2DoStep)(block, 0, 0.1, 1) == fmi2OK, "step");
    saved_and_back(block);
    demand(CALL(fmi2GetReal)(block, &output, 1, &u) == fmi2OK, "get");
    demand(CALL(fmi2GetBoolean)(block, flags, 1, &outside) == fmi2OK && !outside, "inside the domain");
    if (print) printf("%.17g\n", u);
    for (k = 0; k < inputs; ++k) {
        demand(CALL(fmi2GetDirectionalDerivative)(block, &output, 1, &references[k], 1, &one, &slope) == fmi2OK, "slope");
        if (print) printf("%.17g\n", slope);
    }
    if (print) {
        demand(CALL(fmi2GetBoolean)(block, flags + 1, 1, &passed) == fmi2OK, "self-test");
        printf("%d\n", passed);
    }
    demand(CALL(fmi2Instantiate)("two", fmi2CoSimulation, "{another}", "", &callbacks, 0, 0) == NULL, "refusal");
    demand(CALL(fmi2Terminate)(block) == fmi2OK, "terminate");
    CALL(fmi2FreeInstance)(block);
}

int main(int argc, char **argv) {
    fmi2ValueReference references[MOST];
    double x[MOST];
    const int inputs = argc - 4;
    long k, cycles;
    if (inputs < 1 || inputs > MOST) return 2;
    library = OPEN(argv[1]);
    demand(library != NULL, "loading");
    for (k = 0; k < inputs; ++k) references[k] = (fmi2ValueReference)(FIRST_INPUT + k), x[k] = atof(argv[4 + k]);
    cycles = atol(argv[3]);
    for (k = 0; k < cycles; ++k) cycle(argv[2], (unsigned)inputs, references, x, k + 1 == cycles);
    return 0;
}
