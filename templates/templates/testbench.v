{%- for line in banner %}
// {{ line }}
{%- endfor %}
//
// Self-checking testbench of `{{ top }}`: writes the registers, plays the input beats of {{ jobs.len() }} jobs with random
// gaps, refuses output beats at random, and compares every output beat with the bit-exact model.
// Run it in the folder that holds the .hex files, for example:
//   iverilog -g2005 -o {{ top }}_tb.vvp {{ top }}_tb.v ../rtl/*.v && vvp -N {{ top }}_tb.vvp
// The last line it prints is `PASS <n> beats`, or `FAIL <n> errors` before a $stop, of which vvp -N makes exit code 1.

// Nonblocking assignments in `initial` keep its writes clear of the core's clocked blocks.
// verilator lint_off INITIALDLY

`timescale 1ns / 1ps
`default_nettype none

module {{ top }}_tb;
  // Of 16 cycles, in how many a source idles and a sink refuses (0..15), drawn for each stream and cycle.
  parameter [3:0] IDLE = 4'd4;
  parameter [3:0] REFUSE = 4'd4;
  // Start of the random sequence, not 0.
  parameter [31:0] SEED = 32'h{{ seed }};
  // Cycles without a beat on any stream after which the run is given up.
  parameter [31:0] PATIENCE = 32'd{{ patience }};
  // Errors after which the run is given up.
  parameter [31:0] MAX_ERRORS = 32'd10;

  reg clk_i = 1'b0;
  reg rst_i = 1'b1;
  always #5 clk_i = ~clk_i;

  reg [31:0] errors = 32'd0;
  reg [31:0] beats = 32'd0;
{% if registers %}
  reg reg_write_i = 1'b0;
  reg [{{ address_msb }}:0] reg_addr_i = {{ address_bits }}'d0;
  reg [31:0] reg_wdata_i = 32'd0;
  wire [31:0] reg_rdata_o;
{% endif %}
{%- for s in inputs %}
  reg [{{ s.msb }}:0] {{ s.name }}_beats [0:{{ s.top_index }}];
  reg [31:0] {{ s.name }}_next = 32'd0;
  reg [31:0] {{ s.name }}_end = 32'd0;
  reg {{ s.name }}_valid_i = 1'b0;
  wire {{ s.name }}_ready_o;
  reg [{{ s.msb }}:0] {{ s.name }}_data_i = {{ s.bits }}'d0;
{%- if s.last %}
  reg {{ s.name }}_last_i = 1'b0;
{%- endif %}
{% endfor %}
{%- for s in outputs %}
  reg [{{ s.msb }}:0] {{ s.name }}_expected [0:{{ s.top_index }}];
  reg [{{ s.msb }}:0] {{ s.name }}_mask [0:{{ s.top_index }}];
  reg [31:0] {{ s.name }}_next = 32'd0;
  reg [31:0] {{ s.name }}_end = 32'd0;
  wire {{ s.name }}_valid_o;
  reg {{ s.name }}_ready_i = 1'b0;
  wire [{{ s.msb }}:0] {{ s.name }}_data_o;
{%- if s.last %}
  wire {{ s.name }}_last_o;
{%- endif %}
  reg {{ s.name }}_held_q = 1'b0;
  reg [{{ s.msb }}:0] {{ s.name }}_data_q = {{ s.bits }}'d0;
{% endfor %}
  {{ top }}{% if impl_parameter %} #(
    .IMPL(0)
  ){% endif %} dut (
    .clk_i(clk_i),
    .rst_i(rst_i)
{%- if registers %},
    .reg_write_i(reg_write_i),
    .reg_addr_i(reg_addr_i),
    .reg_wdata_i(reg_wdata_i),
    .reg_rdata_o(reg_rdata_o)
{%- endif %}
{%- for s in inputs %},
    .{{ s.name }}_valid_i({{ s.name }}_valid_i),
    .{{ s.name }}_ready_o({{ s.name }}_ready_o),
{%- if s.last %}
    .{{ s.name }}_last_i({{ s.name }}_last_i),
{%- endif %}
    .{{ s.name }}_data_i({{ s.name }}_data_i)
{%- endfor %}
{%- for s in outputs %},
    .{{ s.name }}_valid_o({{ s.name }}_valid_o),
    .{{ s.name }}_ready_i({{ s.name }}_ready_i),
{%- if s.last %}
    .{{ s.name }}_last_o({{ s.name }}_last_o),
{%- endif %}
    .{{ s.name }}_data_o({{ s.name }}_data_o)
{%- endfor %}
  );

  // Xorshift: the same gaps in every simulator.
  reg [31:0] dice_q = SEED;
  function [31:0] throw_dice;
    input [31:0] seed;
    reg [31:0] a;
    reg [31:0] b;
    begin
      a = seed ^ (seed << 13);
      b = a ^ (a >> 17);
      throw_dice = b ^ (b << 5);
    end
  endfunction
  always @(posedge clk_i) dice_q <= throw_dice(dice_q);
{% for s in inputs %}
  // Source `{{ s.name }}`: keeps a beat until it is taken, then offers the next one or idles.
  always @(posedge clk_i) begin
    if (rst_i) begin
      {{ s.name }}_valid_i <= 1'b0;
    end else if (!{{ s.name }}_valid_i || {{ s.name }}_ready_o) begin
      {{ s.name }}_valid_i <= 1'b0;
      if ({{ s.name }}_next != {{ s.name }}_end && dice_q[{{ s.dice_lsb }} +: 4] >= IDLE) begin
        {{ s.name }}_valid_i <= 1'b1;
        {{ s.name }}_data_i <= {{ s.name }}_beats[{{ s.name }}_next];
{%- if s.last %}
        {{ s.name }}_last_i <= {{ s.name }}_next + 32'd1 == {{ s.name }}_end;
{%- endif %}
        {{ s.name }}_next <= {{ s.name }}_next + 32'd1;
      end
    end
  end
{% endfor %}
{%- for s in outputs %}
  // Sink `{{ s.name }}`: compares each accepted beat where the mask is one, and holds the source to its protocol.
  always @(posedge clk_i) begin
    {{ s.name }}_ready_i <= !rst_i && dice_q[{{ s.dice_lsb }} +: 4] >= REFUSE;
    {{ s.name }}_held_q <= !rst_i && {{ s.name }}_valid_o && !{{ s.name }}_ready_i;
    {{ s.name }}_data_q <= {{ s.name }}_data_o;
    if (!rst_i) begin
      if (({{ s.name }}_valid_o ^ {{ s.name }}_valid_o) !== 1'b0) begin
        $display("{{ s.name }}: valid is unknown at %0t", $time);
        errors = errors + 32'd1;
      end
      if ({{ s.name }}_held_q && (!{{ s.name }}_valid_o || {{ s.name }}_data_o !== {{ s.name }}_data_q)) begin
        $display("{{ s.name }}: beat %0d changed before it was taken, at %0t", {{ s.name }}_next, $time);
        errors = errors + 32'd1;
      end
      if ({{ s.name }}_valid_o && {{ s.name }}_ready_i) begin
        beats = beats + 32'd1;
        {{ s.name }}_next <= {{ s.name }}_next + 32'd1;
        if ({{ s.name }}_next == {{ s.name }}_end) begin
          $display("{{ s.name }}: a beat more than the job's %0d at %0t", {{ s.name }}_end, $time);
          errors = errors + 32'd1;
        end else begin
          if ((({{ s.name }}_data_o ^ {{ s.name }}_expected[{{ s.name }}_next]) & {{ s.name }}_mask[{{ s.name }}_next]) !== {{ s.bits }}'d0) begin
            $display("{{ s.name }}: beat %0d is %h, expected %h where the mask %h is one", {{ s.name }}_next,
                     {{ s.name }}_data_o, {{ s.name }}_expected[{{ s.name }}_next], {{ s.name }}_mask[{{ s.name }}_next]);
            errors = errors + 32'd1;
          end
{%- if s.last %}
          if ({{ s.name }}_last_o !== ({{ s.name }}_next + 32'd1 == {{ s.name }}_end)) begin
            $display("{{ s.name }}: last is %b at beat %0d of %0d", {{ s.name }}_last_o, {{ s.name }}_next + 32'd1, {{ s.name }}_end);
            errors = errors + 32'd1;
          end
{%- endif %}
        end
      end
    end
  end
{% endfor %}
  reg finished = 1'b0;
  task finish;
    begin
      if (!finished) begin
        finished = 1'b1;
        if (errors == 32'd0) begin
          $display("PASS %0d beats", beats);
          $finish;
        end else begin
          $display("FAIL %0d errors", errors);
          $stop;
        end
      end
    end
  endtask

  // Watchdog: names every stream that still has beats to move.
  reg [31:0] quiet_q = 32'd0;
  wire moved = 1'b0{% for s in inputs %} || ({{ s.name }}_valid_i && {{ s.name }}_ready_o){% endfor %}{% for s in outputs %} || ({{ s.name }}_valid_o && {{ s.name }}_ready_i){% endfor %};
  always @(posedge clk_i) begin
    quiet_q <= rst_i || moved ? 32'd0 : quiet_q + 32'd1;
    if (quiet_q == PATIENCE) begin
{%- for s in inputs %}
      if ({{ s.name }}_next != {{ s.name }}_end || {{ s.name }}_valid_i)
        $display("waiting for {{ s.name }}: %0d of %0d beats offered, valid %b, ready %b", {{ s.name }}_next, {{ s.name }}_end,
                 {{ s.name }}_valid_i, {{ s.name }}_ready_o);
{%- endfor %}
{%- for s in outputs %}
      if ({{ s.name }}_next != {{ s.name }}_end)
        $display("waiting for {{ s.name }}: %0d of %0d beats received, valid %b, ready %b", {{ s.name }}_next, {{ s.name }}_end,
                 {{ s.name }}_valid_o, {{ s.name }}_ready_i);
{%- endfor %}
      errors = errors + 32'd1;
      finish;
    end else if (errors >= MAX_ERRORS) begin
      finish;
    end
  end
{% if registers %}
  task write_register;
    input [{{ address_msb }}:0] address;
    input [31:0] value;
    begin
      reg_write_i <= 1'b1;
      reg_addr_i <= address;
      reg_wdata_i <= value;
      @(posedge clk_i);
      reg_write_i <= 1'b0;
    end
  endtask

  task check_register;
    input [{{ address_msb }}:0] address;
    input [31:0] mask;
    input [31:0] value;
    begin
      reg_addr_i <= address;
      @(posedge clk_i);
      @(posedge clk_i);
      if ((reg_rdata_o & mask) !== value) begin
        $display("register %h is %h, expected %h where the mask %h is one", address, reg_rdata_o, value, mask);
        errors = errors + 32'd1;
      end
    end
  endtask
{% endif %}
  wire busy = 1'b0{% for s in inputs %} || {{ s.name }}_next != {{ s.name }}_end || {{ s.name }}_valid_i{% endfor %}{% for s in outputs %} || {{ s.name }}_next != {{ s.name }}_end{% endfor %};
  task run_job;
    begin
      repeat (2) @(posedge clk_i);
      while (busy) @(posedge clk_i);
      repeat (16) @(posedge clk_i);
    end
  endtask

  initial begin
{%- for s in inputs %}
    $readmemh("{{ s.file }}", {{ s.name }}_beats);
{%- endfor %}
{%- for s in outputs %}
    $readmemh("{{ s.file }}", {{ s.name }}_expected);
    $readmemh("{{ s.mask_file }}", {{ s.name }}_mask);
{%- endfor %}
    repeat (4) @(posedge clk_i);
    rst_i <= 1'b0;
    @(posedge clk_i);
{%- for job in jobs %}

    // Job `{{ job.name }}`: {{ job.sizes }}.
{%- for w in job.writes %}
    write_register({{ address_bits }}'h{{ w.address }}, 32'h{{ w.value }});  // {{ w.note }}
{%- endfor %}
{%- for r in job.set_up %}
    check_register({{ address_bits }}'h{{ r.address }}, 32'h{{ r.mask }}, 32'h{{ r.value }});  // {{ r.note }}
{%- endfor %}
{%- for e in job.ends %}
    {{ e.stream }}_end <= 32'd{{ e.beats }};
{%- endfor %}
    run_job;
{%- for r in job.afterwards %}
    check_register({{ address_bits }}'h{{ r.address }}, 32'h{{ r.mask }}, 32'h{{ r.value }});  // {{ r.note }}
{%- endfor %}
{%- endfor %}
    finish;
  end
endmodule

`default_nettype wire
