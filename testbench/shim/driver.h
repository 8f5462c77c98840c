// What the fixed driver and the generated shim of one core agree on.
// The shim binds a verilated model to `Model`; driver.cpp moves beats through it and gives the host a C ABI.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "beats are copied as little-endian words");

namespace bitlathe {

// The pins of one stream. `data` is `bytes` long and holds `bits` bits, lane 0 in the lowest.
struct Port {
    bool input;
    uint8_t* valid;
    uint8_t* ready;
    uint8_t* last;  // null when the stream has none
    void* data;
    uint32_t bytes;
    uint32_t bits;
};

// The pins of the register port; all null when the core has no registers.
struct RegisterPort {
    uint8_t* write = nullptr;
    void* address = nullptr;
    uint32_t address_bytes = 0;
    uint32_t* write_data = nullptr;
    uint32_t* read_data = nullptr;
};

// A verilated model with its pins.
struct Model {
    uint8_t* clock = nullptr;
    uint8_t* reset = nullptr;
    RegisterPort registers;
    std::vector<Port> ports;  // in the order of the interface's streams

    virtual ~Model() = default;
    virtual void eval() = 0;
    // Records the signals of these scopes alone, each `.` and a path below the top or empty for the top itself; of all scopes where none is
    // named. A build without tracing refuses to open.
    virtual bool open_trace(const char* path, const std::vector<std::string>& scopes) = 0;
    virtual void dump(uint64_t time) = 0;
    virtual void close_trace() = 0;
};

// Defined by the generated shim. `seed` fills everything that reset leaves unset.
std::unique_ptr<Model> make_model(uint32_t seed);

}  // namespace bitlathe
