// Generated: binds the pins of `{{ top }}` to the co-simulation driver.
#include "Vmodel.h"
#include "driver.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

struct Bound final : bitlathe::Model {
    VerilatedContext context;
    std::unique_ptr<Vmodel> top;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif

    explicit Bound(uint32_t seed) {
        context.randReset(2);
        context.randSeed(static_cast<int>(seed % 0x7fffffffu + 1));
#if VM_TRACE
        context.traceEverOn(true);
#endif
        top = std::make_unique<Vmodel>(&context);
        context.timeunit(-9);
        context.timeprecision(-9);
        clock = &top->clk_i;
        reset = &top->rst_i;
{%- if registers %}
        static_assert(sizeof(top->reg_addr_i) == {{ address_bytes }}, "`reg_addr_i` is not {{ address_bits }} bits wide");
        registers = {&top->reg_write_i, &top->reg_addr_i, {{ address_bytes }}, &top->reg_wdata_i, &top->reg_rdata_o};
{%- endif %}
{%- for port in ports %}
        static_assert(sizeof(top->{{ port.data }}) == {{ port.bytes }}, "`{{ port.data }}` is not {{ port.bits }} bits wide");
        ports.push_back({ {{- port.input }}, &top->{{ port.valid }}, &top->{{ port.ready }}, {{ port.last }}, &top->{{ port.data }}, {{ port.bytes }}, {{ port.bits }}});
{%- endfor %}
    }

    ~Bound() override {
        close_trace();
        top->final();
    }

    void eval() override { top->eval(); }

#if VM_TRACE
    bool open_trace(const char* path, const std::vector<std::string>& scopes) override {
        trace = std::make_unique<VerilatedVcdC>();
        top->trace(trace.get(), 99);
        for (const std::string& scope : scopes) trace->dumpvars(1, "TOP.{{ top }}" + scope);
        trace->open(path);
        return trace->isOpen();
    }
    void dump(uint64_t time) override {
        if (trace) trace->dump(time);
    }
    void close_trace() override {
        if (trace) trace->close();
    }
#else
    bool open_trace(const char*, const std::vector<std::string>&) override { return false; }
    void dump(uint64_t) override {}
    void close_trace() override {}
#endif
};

}  // namespace

std::unique_ptr<bitlathe::Model> bitlathe::make_model(uint32_t seed) { return std::make_unique<Bound>(seed); }
