// A small elastic core for the tests of co-simulation: y[t, n] = bias + b[t, n] + sum over k of x[n, k].
// `x` has four lanes a beat and is sent once a pass, `b` has two in excess-128 code; written by hand.
`default_nettype none
module row_sum #(
    parameter IMPL = 1
) (
    input wire clk_i,
    input wire rst_i,
    input wire reg_write_i,
    input wire [3:0] reg_addr_i,
    input wire [31:0] reg_wdata_i,
    output reg [31:0] reg_rdata_o,
    input wire x_valid_i,
    output wire x_ready_o,
    input wire [31:0] x_data_i,
    input wire b_valid_i,
    output wire b_ready_o,
    input wire [15:0] b_data_i,
    output reg y_valid_o,
    input wire y_ready_i,
    output reg [15:0] y_data_o,
    output reg y_last_o
);
  reg [15:0] rows, slabs, passes;
  reg [7:0] bias;
  reg seen_min;
  always @*
    case (reg_addr_i[3:2])
      2'd0: reg_rdata_o = {slabs, rows};
      2'd1: reg_rdata_o = {8'd0, bias, passes};
      default: reg_rdata_o = {31'd0, seen_min};
    endcase

  reg [15:0] row, slab, pass;
  reg half;
  reg [15:0] acc;
  wire out_free = !y_valid_o || y_ready_i;
  wire last_slab = slab + 16'd1 == slabs;
  wire last_row = row + 16'd1 == rows;
  wire last_pass = pass + 16'd1 == passes;
  assign x_ready_o = !last_slab || (b_valid_i && out_free);
  assign b_ready_o = x_valid_i && last_slab && out_free && (half || last_row);

  wire [15:0] sum = acc + {{8{x_data_i[7]}}, x_data_i[7:0]} + {{8{x_data_i[15]}}, x_data_i[15:8]}
      + {{8{x_data_i[23]}}, x_data_i[23:16]} + {{8{x_data_i[31]}}, x_data_i[31:24]};
  wire [7:0] b = (half ? b_data_i[15:8] : b_data_i[7:0]) ^ 8'h80;
  wire take = x_valid_i && x_ready_o;

  always @(posedge clk_i)
    if (rst_i) begin
      rows <= 16'd1; slabs <= 16'd1; passes <= 16'd1; bias <= 8'd0; seen_min <= 1'b0;
      row <= 16'd0; slab <= 16'd0; pass <= 16'd0; half <= 1'b0; acc <= 16'd0;
      y_valid_o <= 1'b0; y_last_o <= 1'b0;
    end else begin
      if (reg_write_i)
        case (reg_addr_i[3:2])
          2'd0: if (reg_wdata_i[15:0] != 16'd0) {slabs, rows} <= reg_wdata_i;
          2'd1: {bias, passes} <= reg_wdata_i[23:0];
          default: if (reg_wdata_i[0]) seen_min <= 1'b0;
        endcase
      if (y_ready_i) y_valid_o <= 1'b0;
      if (take) begin
        if (x_data_i[7:0] == 8'h80) seen_min <= 1'b1;
        acc <= last_slab ? 16'd0 : sum;
        slab <= last_slab ? 16'd0 : slab + 16'd1;
        if (last_slab) begin
          y_valid_o <= 1'b1;
          y_data_o <= sum + {{8{b[7]}}, b} + {{8{bias[7]}}, bias};
          y_last_o <= last_row && last_pass;
          half <= last_row ? 1'b0 : !half;
          row <= last_row ? 16'd0 : row + 16'd1;
          if (last_row) pass <= last_pass ? 16'd0 : pass + 16'd1;
        end
      end
    end

  generate
    if (IMPL != 0) begin : gen_vendor
      vendor_primitive u_missing ();
    end
  endgenerate
endmodule
`default_nettype wire
