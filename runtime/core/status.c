#include "internal.h"

#define AS_NAME(code, text) #code,
#define AS_TEXT(code, text) text,

const char *kd_status_name(kd_status status) {
    static const char *const names[KD_STATUS_COUNT] = {KD_STATUS_LIST(AS_NAME)};
    return (unsigned)status < KD_STATUS_COUNT ? names[status] : "?";
}

const char *kd_status_text(kd_status status) {
    static const char *const texts[KD_STATUS_COUNT] = {KD_STATUS_LIST(AS_TEXT)};
    return (unsigned)status < KD_STATUS_COUNT ? texts[status] : "unknown status";
}

const char *kd_version(void) { return "0.1.0"; }
