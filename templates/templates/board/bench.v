{%- for line in banner %}
// {{ line }}
{%- endfor %}
//
// Reads the UART of `{{ top }}` for two tests and compares the text with that of the model. The last line it prints is
// `PASS`, or `FAIL` before a $stop. `make sim` runs it in Verilator, where
// sim.cpp makes the clock, and `make sim-icarus` in Icarus.

`timescale 1ns / 1ps
`default_nettype none

`ifdef VERILATOR
module {{ top }}_tb (
    input wire clk
);
`else
module {{ top }}_tb;
  reg clk = 1'b0;
  always #5 clk = ~clk;
`endif
  localparam integer DIVIDER = 4;
  localparam integer LENGTH = {{ length }};
  localparam [8*LENGTH-1:0] EXPECTED = "{{ expected }}";

  wire tx;
  {{ top }} #(
{%- if implementation %}
      .IMPL(0),
{%- endif %}
      .DIVIDER(DIVIDER),
      .PAUSE(100)
  ) dut (
      .{{ clock }}(clk),
      .{{ text }}(tx)
  );

  // A start bit, then each bit in the middle of its time.
  integer wait_q = 0;
  integer bits_q = 0;
  reg [7:0] byte_q = 8'd0;
  integer place = 0;
  integer lines = 0;
  integer errors = 0;
  task receive;
    input [7:0] got;
    begin
      $write("%c", got);
      if (place >= LENGTH) begin
        errors = errors + 1;
      end else if (got !== EXPECTED[8*(LENGTH-1-place) +: 8]) begin
        errors = errors + 1;
      end
      place = place + 1;
      if (got == "\n") begin
        if (place != LENGTH) errors = errors + 1;
        place = 0;
        lines = lines + 1;
        if (lines == 2) finish;
      end
    end
  endtask
  task finish;
    begin
      if (errors == 0) begin
        $display("PASS");
        $finish;
      end else begin
        $display("FAIL: this is not the text that the model predicts");
        $stop;
      end
    end
  endtask
  always @(posedge clk) begin
    if (bits_q == 0) begin
      if (tx === 1'b0) begin
        bits_q <= 9;
        wait_q <= DIVIDER + DIVIDER / 2 - 1;
      end
    end else if (wait_q != 0) begin
      wait_q <= wait_q - 1;
    end else begin
      wait_q <= DIVIDER - 1;
      bits_q <= bits_q - 1;
      if (bits_q > 1) begin
        byte_q <= {tx, byte_q[7:1]};
      end else begin
        receive(byte_q);
      end
    end
  end

  integer cycles = 0;
  always @(posedge clk) begin
    cycles <= cycles + 1;
    if (cycles == {{ patience }}) begin
      $display("FAIL: no text in {{ patience }} cycles");
      $stop;
    end
  end
endmodule

`default_nettype wire
