// A behavioural ternary matrix product for the tests of `generate`: two rows and six inputs a weight beat, two tokens a pass.
// It keeps all partial sums of a pass, so m_tiles must not exceed 16.

`default_nettype none

module fake_gemm #(
    parameter IMPL = 1
) (
    input wire clk_i,
    input wire rst_i,
    input wire reg_write_i,
    input wire [4:0] reg_addr_i,
    input wire [31:0] reg_wdata_i,
    output reg [31:0] reg_rdata_o,
    input wire x_valid_i,
    output wire x_ready_o,
    input wire [47:0] x_data_i,
    input wire w_valid_i,
    output wire w_ready_o,
    input wire [19:0] w_data_i,
    output wire y_valid_o,
    input wire y_ready_i,
    output wire y_last_o,
    output wire [63:0] y_data_o
);
  localparam [1:0] TAKE_X = 2'd0, TAKE_W = 2'd1, GIVE_Y = 2'd2;

  reg [4:0] k_slabs_q, m_tiles_q;
  reg [7:0] passes_q;
  reg config_error_q, code_error_q;
  reg [1:0] state_q;
  reg token_q;
  reg [4:0] slab_q, tile_q;
  reg [7:0] pass_q;
  reg [47:0] x_q [0:1];
  reg signed [31:0] sum_q [0:63];

  assign x_ready_o = state_q == TAKE_X;
  assign w_ready_o = state_q == TAKE_W;
  assign y_valid_o = state_q == GIVE_Y;
  wire [5:0] y_index = {tile_q[3:0], token_q, 1'b0};
  assign y_data_o = {sum_q[y_index | 6'd1], sum_q[y_index]};
  wire last_tile = tile_q + 5'd1 == m_tiles_q;
  assign y_last_o = token_q && last_tile && pass_q + 8'd1 == passes_q;

  always @(*) begin
    case (reg_addr_i)
      5'h00: reg_rdata_o = 32'h42544c31;
      5'h04: reg_rdata_o = {27'd0, k_slabs_q};
      5'h08: reg_rdata_o = {27'd0, m_tiles_q};
      5'h0c: reg_rdata_o = {24'd0, passes_q};
      5'h10: reg_rdata_o = {30'd0, code_error_q, config_error_q};
      default: reg_rdata_o = 32'd0;
    endcase
  end

  // One dot product of three weights, code index5, with three activations.
  function signed [31:0] three;
    input [4:0] code;
    input [23:0] x;
    reg signed [31:0] v, w0, w1, w2;
    begin
      v = code[3:0];
      w0 = v > 4 ? 1 : 0;
      w1 = v - 9 * w0 > 1 ? 1 : (v - 9 * w0 < -1 ? -1 : 0);
      w2 = v - 9 * w0 - 3 * w1;
      three = w0 * $signed(x[7:0]) + w1 * $signed(x[15:8]) + w2 * $signed(x[23:16]);
      if (code[4]) three = -three;
    end
  endfunction

  integer r, b;
  always @(posedge clk_i) begin
    if (reg_write_i) begin
      case (reg_addr_i)
        5'h04: if (reg_wdata_i >= 1 && reg_wdata_i <= 16) k_slabs_q <= reg_wdata_i[4:0]; else config_error_q <= 1'b1;
        5'h08: if (reg_wdata_i >= 1 && reg_wdata_i <= 16) m_tiles_q <= reg_wdata_i[4:0]; else config_error_q <= 1'b1;
        5'h0c: if (reg_wdata_i >= 1 && reg_wdata_i <= 255) passes_q <= reg_wdata_i[7:0]; else config_error_q <= 1'b1;
        5'h10: begin
          if (reg_wdata_i[0]) config_error_q <= 1'b0;
          if (reg_wdata_i[1]) code_error_q <= 1'b0;
        end
        default: ;
      endcase
    end
    case (state_q)
      TAKE_X: if (x_valid_i && x_ready_o) begin
        x_q[token_q] <= x_data_i;
        token_q <= !token_q;
        if (token_q) state_q <= TAKE_W;
      end
      TAKE_W: if (w_valid_i && w_ready_o) begin
        for (r = 0; r < 2; r = r + 1) begin
          if (w_data_i[10*r +: 4] > 4'd13 || w_data_i[10*r + 5 +: 4] > 4'd13) code_error_q <= 1'b1;
          for (b = 0; b < 2; b = b + 1)
            sum_q[{tile_q[3:0], b[0], r[0]}] <= (slab_q == 5'd0 ? 32'sd0 : sum_q[{tile_q[3:0], b[0], r[0]}])
              + three(w_data_i[10*r +: 5], x_q[b][23:0]) + three(w_data_i[10*r + 5 +: 5], x_q[b][47:24]);
        end
        tile_q <= last_tile ? 5'd0 : tile_q + 5'd1;
        if (last_tile) begin
          slab_q <= slab_q + 5'd1 == k_slabs_q ? 5'd0 : slab_q + 5'd1;
          state_q <= slab_q + 5'd1 == k_slabs_q ? GIVE_Y : TAKE_X;
        end
      end
      default: if (y_ready_i) begin
        token_q <= !token_q;
        if (token_q) begin
          tile_q <= last_tile ? 5'd0 : tile_q + 5'd1;
          if (last_tile) begin
            pass_q <= pass_q + 8'd1 == passes_q ? 8'd0 : pass_q + 8'd1;
            state_q <= TAKE_X;
          end
        end
      end
    endcase
    if (rst_i) begin
      k_slabs_q <= 5'd1;
      m_tiles_q <= 5'd1;
      passes_q <= 8'd1;
      config_error_q <= 1'b0;
      code_error_q <= 1'b0;
      state_q <= TAKE_X;
      token_q <= 1'b0;
      slab_q <= 5'd0;
      tile_q <= 5'd0;
      pass_q <= 8'd0;
    end
  end
endmodule

`default_nettype wire
