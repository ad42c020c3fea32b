/* Saved states: what the functions of FMI 2.0 and 3.0 do. */
#include "block.h"

#include <stdlib.h>
#include <string.h>

#define ENTER(self, function) \
    do { \
        const block_status entered = block_enter(self, STAGE_ANY, function); \
        if (entered != BLOCK_OK) return entered; \
    } while (0)

block_status block_get_state(block *self, const char *function, void **state) {
    ENTER(self, function);
    if (state == NULL) return block_fail(self, "no place for the state");
    free(*state); /* an earlier one, which this one takes the place of */
    *state = block_save(self);
    return *state != NULL ? BLOCK_OK : block_fail(self, "out of memory");
}

block_status block_set_state(block *self, const char *function, const void *state) {
    ENTER(self, function);
    return state != NULL ? block_restore(self, state) : block_fail(self, "no state");
}

block_status block_free_state(block *self, const char *function, void **state) {
    ENTER(self, function);
    if (state == NULL) return BLOCK_OK;
    free(*state);
    *state = NULL;
    return BLOCK_OK;
}

block_status block_state_size(block *self, const char *function, const void *state, size_t *size) {
    ENTER(self, function);
    if (state == NULL || size == NULL) return block_fail(self, "no state");
    *size = ((const block_state *)state)->size;
    return BLOCK_OK;
}

block_status block_write_state(block *self, const char *function, const void *state, void *bytes, size_t size) {
    const block_state *const saved = state;
    ENTER(self, function);
    if (saved == NULL || bytes == NULL || size < saved->size) return block_fail(self, "too few bytes for the state");
    memcpy(bytes, saved->bytes, saved->size);
    return BLOCK_OK;
}

block_status block_read_state(block *self, const char *function, const void *bytes, size_t size, void **state) {
    ENTER(self, function);
    if (state == NULL) return block_fail(self, "no place for the state");
    *state = block_state_from(self, bytes, size);
    return *state != NULL ? BLOCK_OK : block_fail(self, "the bytes are not a state of this FMU");
}
