// Rules of an arbiter of two streams, a and b, into y: what is offered stays, each side's beats come out once and in order, an
// offered beat is passed over once at most, and with `PACKETS` no packet is interrupted. `PART` is replaced by the module.
`default_nettype none
module arbiter_rules (
  input wire clk_i,
  input wire rst_i,
  input wire a_valid_i,
  input wire a_last_i,
  input wire [3:0] a_data_i,
  input wire b_valid_i,
  input wire b_last_i,
  input wire [3:0] b_data_i,
  input wire y_ready_i
);
  wire a_ready, b_ready, y_valid;
  wire [3:0] y_data;
`ifdef PACKETS
  wire a_last = a_last_i, b_last = b_last_i, y_last;
`else
  wire a_last = 1, b_last = 1, y_last = 1;
`endif
  PART u_part (
    .clk_i(clk_i), .rst_i(rst_i),
    .a_valid_i(a_valid_i), .a_ready_o(a_ready), .a_data_i(a_data_i),
    .b_valid_i(b_valid_i), .b_ready_o(b_ready), .b_data_i(b_data_i),
`ifdef PACKETS
    .a_last_i(a_last), .b_last_i(b_last), .y_last_o(y_last),
`endif
    .y_valid_o(y_valid), .y_ready_i(y_ready_i), .y_data_o(y_data)
  );
  wire a_moves = a_valid_i && a_ready, b_moves = b_valid_i && b_ready, y_moves = y_valid && y_ready_i;
  reg started_q = 0, a_waited_q = 0, b_waited_q = 0, y_waited_q = 0, within_q = 0, side_q, a_last_q, b_last_q, y_last_q;
  reg [3:0] y_data_q;
  reg [2:0] a_in_q = 0, b_in_q = 0, a_out_q = 0, b_out_q = 0;
  reg [1:0] a_passed_q = 0, b_passed_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    a_waited_q <= started_q && a_valid_i && !a_ready;
    b_waited_q <= started_q && b_valid_i && !b_ready;
    y_waited_q <= started_q && y_valid && !y_ready_i;
    a_last_q <= a_last;
    b_last_q <= b_last;
    y_last_q <= y_last;
    y_data_q <= y_data;
    // The sources keep the rules themselves; a beat carries its side and its number.
    if (a_waited_q) assume (a_valid_i && a_last == a_last_q);
    if (b_waited_q) assume (b_valid_i && b_last == b_last_q);
    assume (a_data_i == {1'b0, a_in_q});
    assume (b_data_i == {1'b1, b_in_q});
    if (started_q) begin
      if (a_moves) a_in_q <= a_in_q + 1;
      if (b_moves) b_in_q <= b_in_q + 1;
      if (y_moves && y_data[3]) b_out_q <= b_out_q + 1;
      if (y_moves && !y_data[3]) a_out_q <= a_out_q + 1;
      if (y_moves) within_q <= !y_last;
      if (y_moves) side_q <= y_data[3];
      a_passed_q <= !a_valid_i || a_moves ? 0 : a_passed_q + (b_moves && b_last);
      b_passed_q <= !b_valid_i || b_moves ? 0 : b_passed_q + (a_moves && a_last);
      assert (a_moves + b_moves == y_moves);
      assert (a_passed_q <= 1 && b_passed_q <= 1);
      if (y_valid) assert (y_data[2:0] == (y_data[3] ? b_out_q : a_out_q));
      if (y_waited_q) assert (y_valid && y_data == y_data_q && y_last == y_last_q);
      if (within_q && y_valid) assert (y_data[3] == side_q);
      if (!within_q) assert (y_valid == (a_valid_i || b_valid_i));
    end
  end
endmodule
`default_nettype wire
