/* libFuzzer target: the loader and the evaluator on bytes as they come. */
#include "fuzz_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    load_and_exercise(data, size);
    return 0;
}
