// Fixed part of the co-simulation shim: moves the beats of a job through a verilated core, many cycles a call.
// It stalls streams by a seed, checks the handshake of every output, counts cycles and gives up when nothing moves.
// The host side is `flow/src/sim/ffi.rs`; the structures here are repeated there field by field.
#include "driver.h"

#include <cstring>
#include <sstream>

namespace bitlathe {

enum StallMode : uint32_t { IDLE_SOURCE = 1, BACKPRESSURE = 2 };
enum Status : uint32_t { RUNNING = 0, FINISHED = 1, BLOCKED = 2, FAULT = 3 };
enum Fault : uint32_t { NO_FAULT = 0, VALID_DROPPED, DATA_CHANGED, LAST_MISSING, LAST_EARLY, EXTRA_BEAT };

// One stream's part of a job; the host owns all memory.
struct Transfer {
    uint32_t* words;   // `period` beats to send, or room for `beats` beats
    uint64_t* cycles;  // the cycle of each beat
    uint64_t stride;   // words of one beat
    uint64_t period;   // inputs: beat n is found at n mod period
    uint64_t beats;
    uint64_t done;
    uint64_t stalled;  // cycles with valid and without ready
    uint32_t valid;    // as last sampled
    uint32_t ready;
};

// A job under way; the host owns it and looks at it between calls.
struct Task {
    Transfer* transfers;
    uint64_t seed;
    uint64_t watchdog;    // cycles without any accepted beat until the job counts as blocked
    uint64_t drain;       // cycles watched for surplus beats after the last one
    uint64_t trace_from;  // first and last traced cycle; none when from > to
    uint64_t trace_to;
    uint64_t cycle;
    uint64_t idle;         // cycles since the last accepted beat
    uint64_t first_input;  // cycle of the first accepted input beat; all ones before
    uint64_t last_output;  // cycle of the last accepted output beat
    uint32_t mode;
    uint32_t status;
    uint32_t fault;
    uint32_t fault_stream;
};

static uint64_t mix(uint64_t seed, uint64_t stream, uint64_t n) {  // the finalizer of SplitMix64
    uint64_t z = seed + 0x9e3779b97f4a7c15u * (stream + 1) + 0xd1342543de82ef95u * n;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Every 64 cycles a stream draws anew how dense its stalls are: never, rarely, half of the time, mostly.
static bool stalls(uint64_t seed, uint64_t stream, uint64_t cycle) {
    static const uint32_t eighths[4] = {0, 1, 4, 7};
    const uint32_t density = eighths[mix(~seed, stream, cycle >> 6) & 3];
    return (mix(seed, stream, cycle) & 7) < density;
}

class Driver {
public:
    explicit Driver(uint32_t seed) : model(make_model(seed)), held(model->ports.size()) {}

    void reset() {
        release();
        *model->reset = 1;
        for (int i = 0; i < 4; ++i) clock();
        *model->reset = 0;
    }

    uint32_t read(uint32_t address) {
        std::memcpy(model->registers.address, &address, model->registers.address_bytes);
        *model->clock = 0;
        model->eval();
        return *model->registers.read_data;
    }

    void write(uint32_t address, uint32_t value) {
        std::memcpy(model->registers.address, &address, model->registers.address_bytes);
        *model->registers.write_data = value;
        *model->registers.write = 1;
        clock();
        *model->registers.write = 0;
    }

    // Starts a job. False when a trace is asked for and cannot be written. `scopes`: a line for each one to trace, all when there is none.
    bool start(const char* trace, const char* scopes) {
        release();
        std::vector<std::string> lines;
        std::istringstream text(scopes);
        for (std::string line; std::getline(text, line);) lines.push_back(line);
        return !trace || model->open_trace(trace, lines);
    }

    void advance(Task& task, uint64_t cycles) {
        for (; cycles && task.status == RUNNING; --cycles) cycle(task);
        if (task.status != RUNNING) {
            release();
            model->close_trace();
        }
    }

private:
    // What an output showed while it waited for ready.
    struct Held {
        bool waiting = false;
        bool last = false;
        std::vector<uint8_t> data;
    };

    std::unique_ptr<Model> model;
    std::vector<Held> held;

    void clock() {
        *model->clock = 0;
        model->eval();
        *model->clock = 1;
        model->eval();
    }

    void release() {
        for (size_t i = 0; i < model->ports.size(); ++i) {
            Port& port = model->ports[i];
            *(port.input ? port.valid : port.ready) = 0;
            held[i].waiting = false;
        }
    }

    void cycle(Task& task) {
        for (size_t i = 0; i < model->ports.size(); ++i) {
            if (model->ports[i].input) offer(task, i);
            else *model->ports[i].ready = task.transfers[i].done == task.transfers[i].beats
                || !((task.mode & BACKPRESSURE) && stalls(task.seed, i, task.cycle));
        }
        const bool traced = task.trace_from <= task.cycle && task.cycle <= task.trace_to;
        *model->clock = 0;
        model->eval();
        if (traced) model->dump(10 * task.cycle);
        sample(task);
        *model->clock = 1;
        model->eval();
        if (traced) model->dump(10 * task.cycle + 5);
        ++task.cycle;
    }

    // Drives an input: the next beat, or noise while it has nothing to say. An offered beat stays until it is taken.
    void offer(const Task& task, size_t i) {
        const Port& port = model->ports[i];
        const Transfer& transfer = task.transfers[i];
        if (held[i].waiting) return;
        const bool idle = (task.mode & IDLE_SOURCE) && stalls(task.seed, i, task.cycle);
        if (transfer.done < transfer.beats && !idle) {
            const uint32_t* beat = transfer.words + (transfer.done % transfer.period) * transfer.stride;
            std::memcpy(port.data, beat, port.bytes);
            if (port.last) *port.last = transfer.done + 1 == transfer.beats;
            *port.valid = 1;
            held[i].waiting = true;
        } else {
            *port.valid = 0;
            noise(port, mix(task.seed, i, ~task.cycle));
        }
    }

    static void noise(const Port& port, uint64_t bits) {
        auto* bytes = static_cast<uint8_t*>(port.data);
        for (uint32_t n = 0; n < (port.bits + 7) / 8; ++n) bytes[n] = uint8_t(bits >> (n * 13 % 57));
        if (port.bits % 8) bytes[port.bits / 8] &= uint8_t((1u << port.bits % 8) - 1);
        if (port.last) *port.last = bits & 1;
    }

    // Looks at the settled pins before the rising edge: what moves, what waits, what breaks the protocol.
    void sample(Task& task) {
        bool moved = false, complete = true;
        for (size_t i = 0; i < model->ports.size(); ++i) {
            Port& port = model->ports[i];
            Transfer& transfer = task.transfers[i];
            transfer.valid = *port.valid;
            transfer.ready = *port.ready;
            if (!port.input && !watch(task, i)) return;
            if (transfer.valid && transfer.ready) {
                accept(task, i);
                moved = true;
            } else if (transfer.valid) {
                ++transfer.stalled;
            }
            complete = complete && transfer.done == transfer.beats;
        }
        task.idle = moved ? 0 : task.idle + 1;
        if (complete && task.idle >= task.drain) task.status = FINISHED;
        else if (!complete && task.idle >= task.watchdog) task.status = BLOCKED;
    }

    void accept(Task& task, size_t i) {
        const Port& port = model->ports[i];
        Transfer& transfer = task.transfers[i];
        held[i].waiting = false;
        transfer.cycles[transfer.done] = task.cycle;
        if (port.input) {
            if (task.first_input == ~uint64_t(0)) task.first_input = task.cycle;
        } else {
            std::memcpy(transfer.words + transfer.done * transfer.stride, port.data, port.bytes);
            task.last_output = task.cycle;
        }
        ++transfer.done;
    }

    // Checks an output's handshake; false when it is broken.
    bool watch(Task& task, size_t i) {
        const Port& port = model->ports[i];
        const Transfer& transfer = task.transfers[i];
        Held& before = held[i];
        const auto* data = static_cast<const uint8_t*>(port.data);
        const bool last = port.last && *port.last;
        if (!transfer.valid) return !before.waiting || fail(task, i, VALID_DROPPED);
        if (transfer.done == transfer.beats) return fail(task, i, EXTRA_BEAT);
        if (port.last && last != (transfer.done + 1 == transfer.beats))
            return fail(task, i, last ? LAST_EARLY : LAST_MISSING);
        if (before.waiting && (last != before.last || std::memcmp(before.data.data(), data, port.bytes)))
            return fail(task, i, DATA_CHANGED);
        if (!transfer.ready && !before.waiting) {
            before.waiting = true;
            before.last = last;
            before.data.assign(data, data + port.bytes);
        }
        return true;
    }

    static bool fail(Task& task, size_t i, Fault fault) {
        task.status = FAULT;
        task.fault = fault;
        task.fault_stream = uint32_t(i);
        return false;
    }
};

}  // namespace bitlathe

using bitlathe::Driver;
using bitlathe::Task;

#define BITLATHE_EXPORT extern "C" __attribute__((visibility("default")))

BITLATHE_EXPORT Driver* bitlathe_create(uint32_t seed) { return new Driver(seed); }
BITLATHE_EXPORT void bitlathe_destroy(Driver* driver) { delete driver; }
BITLATHE_EXPORT void bitlathe_reset(Driver* driver) { driver->reset(); }
BITLATHE_EXPORT uint32_t bitlathe_read(Driver* driver, uint32_t address) { return driver->read(address); }
BITLATHE_EXPORT void bitlathe_write(Driver* driver, uint32_t address, uint32_t value) { driver->write(address, value); }
BITLATHE_EXPORT uint32_t bitlathe_start(Driver* driver, const char* trace, const char* scopes) {
    return driver->start(trace, scopes);
}
BITLATHE_EXPORT void bitlathe_advance(Driver* driver, Task* task, uint64_t cycles) { driver->advance(*task, cycles); }
