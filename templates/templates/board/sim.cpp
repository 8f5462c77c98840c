// The clock of the bench in Verilator.
#include "Vbench.h"
#include "verilated.h"

int main() {
    VerilatedContext context;
    Vbench bench{&context};
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
        context.timeInc(1);
    }
    bench.final();
    return 0;
}
