/* SHA-256, FIPS 180-4 (National Institute of Standards and Technology, 2015, doi 10.6028/NIST.FIPS.180-4). */
#include "internal.h"

typedef struct {
    uint32_t state[8];
    uint8_t block[64];
    size_t filled;
    uint64_t total;
} sha256;

static inline uint32_t rotate(uint32_t a, int by) { return a >> by | a << (32 - by); }

/* Word t of the message schedule from the 16 before it; w[t % 16] is the oldest. */
static inline uint32_t scheduled(const uint32_t w[16], int t) {
    const uint32_t newer = w[(t + 14) % 16], older = w[(t + 1) % 16];
    const uint32_t s0 = rotate(older, 7) ^ rotate(older, 18) ^ older >> 3;
    const uint32_t s1 = rotate(newer, 17) ^ rotate(newer, 19) ^ newer >> 10;
    return w[t] + s0 + w[(t + 9) % 16] + s1;
}

/* One round. The eight variables stay where they are; their names move by one each round. */
static inline void step(uint32_t v[8], int round, uint32_t constant_and_word) {
    const uint32_t a = v[(8 - round) % 8], b = v[(9 - round) % 8], c = v[(10 - round) % 8];
    const uint32_t e = v[(12 - round) % 8], f = v[(13 - round) % 8], g = v[(14 - round) % 8];
    uint32_t *const d = &v[(11 - round) % 8], *const h = &v[(15 - round) % 8];
    const uint32_t s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const uint32_t t1 = *h + s1 + (g ^ (e & (f ^ g))) + constant_and_word;
    const uint32_t s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    *d += t1;
    *h = t1 + s0 + ((a & b) | (c & (a | b)));
}

static void compress(uint32_t state[8], const uint8_t *block) {
    static const uint32_t round_constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[16], v[8];
    int i, j;
    for (i = 0; i < 16; ++i)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (i = 0; i < 8; ++i) v[i] = state[i];
    for (i = 0; i < 64; i += 16) {
        if (i > 0)
            for (j = 0; j < 16; ++j) w[j] = scheduled(w, j);
        for (j = 0; j < 16; j += 8) { /* written out, the compiler keeps v in registers, unmoved */
            step(v, 0, round_constants[i + j] + w[j]);
            step(v, 1, round_constants[i + j + 1] + w[j + 1]);
            step(v, 2, round_constants[i + j + 2] + w[j + 2]);
            step(v, 3, round_constants[i + j + 3] + w[j + 3]);
            step(v, 4, round_constants[i + j + 4] + w[j + 4]);
            step(v, 5, round_constants[i + j + 5] + w[j + 5]);
            step(v, 6, round_constants[i + j + 6] + w[j + 6]);
            step(v, 7, round_constants[i + j + 7] + w[j + 7]);
        }
    }
    for (i = 0; i < 8; ++i) state[i] += v[i];
}

static void update(sha256 *hash, const uint8_t *bytes, size_t size) {
    hash->total += size;
    while (size > 0) {
        if (hash->filled == 0 && size >= 64) {
            compress(hash->state, bytes);
            bytes += 64, size -= 64;
            continue;
        }
        hash->block[hash->filled++] = *bytes++;
        --size;
        if (hash->filled == 64) {
            compress(hash->state, hash->block);
            hash->filled = 0;
        }
    }
}

static void finish(sha256 *hash, uint8_t digest[32]) {
    static const uint8_t zero = 0, one_bit = 0x80;
    const uint64_t bits = hash->total * 8;
    uint8_t length[8];
    int i;
    update(hash, &one_bit, 1);
    while (hash->filled != 56) update(hash, &zero, 1);
    for (i = 0; i < 8; ++i) length[i] = (uint8_t)(bits >> (56 - 8 * i));
    update(hash, length, 8);
    for (i = 0; i < 32; ++i) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void kd_file_digest(const uint8_t *bytes, size_t size, uint8_t digest[32]) {
    sha256 hash = {{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
                    0x5be0cd19}, {0}, 0, 0};
    update(&hash, bytes, 64);
    update(&hash, bytes + 96, size - 96);
    finish(&hash, digest);
}
