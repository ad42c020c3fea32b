// Memory for the core: 64-byte aligned, freed with its owner.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

struct FreeAligned {
    void operator()(void *memory) const { std::free(memory); }
};
using Aligned = std::unique_ptr<void, FreeAligned>;

inline Aligned allocate(std::size_t size) {
    void *memory = std::aligned_alloc(64, (size + 63) / 64 * 64 + 64);
    if (!memory) throw std::bad_alloc();
    return Aligned(memory);
}

// This thread's workspace, at least `size` bytes; it grows and is kept until the thread ends.
inline void *thread_workspace(std::size_t size) {
    static thread_local Aligned memory;
    static thread_local std::size_t held = 0;
    if (size > held) {
        memory = allocate(size);
        held = size;
    }
    return memory.get();
}
