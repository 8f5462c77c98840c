// Our FIFO and that of rust-hdl take the same beats and are emptied at will, each at its own pace: both give them in order,
// hold four, and say so at once. Theirs may offer a beat one cycle later.
`default_nettype none
module fifo_pair (
  input wire clk_i,
  input wire rst_i,
  input wire s_valid_i,
  input wire a_ready_i,
  input wire b_ready_i
);
  reg started_q = 0;
  reg [2:0] in_q = 0, a_out_q = 0, b_out_q = 0;
  reg b_waits_q = 0;
  wire a_takes, b_takes, a_valid, b_valid;
  wire [7:0] a_data, b_data;
  wire push = s_valid_i && started_q && a_takes && b_takes;
  fifo #(.WIDTH(8), .DEPTH_W(2)) u_ours (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(push), .s_ready_o(a_takes), .s_data_i({5'd0, in_q}),
    .m_valid_o(a_valid), .m_ready_i(a_ready_i), .m_data_o(a_data)
  );
  their_queue u_theirs (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(push), .s_ready_o(b_takes), .s_data_i({5'd0, in_q}),
    .m_valid_o(b_valid), .m_ready_i(b_ready_i && started_q), .m_data_o(b_data)
  );
  wire [2:0] a_holds = in_q - a_out_q, b_holds = in_q - b_out_q;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    if (push) in_q <= in_q + 1;
    if (started_q && a_valid && a_ready_i) a_out_q <= a_out_q + 1;
    if (started_q && b_valid && b_ready_i) b_out_q <= b_out_q + 1;
    b_waits_q <= started_q && b_holds != 0 && !b_valid;
    if (started_q) begin
      assert (a_takes == (a_holds != 4));
      assert (b_takes == (b_holds != 4));
      assert (a_valid == (a_holds != 0));
      if (b_valid) assert (b_holds != 0);
      if (b_waits_q) assert (b_valid);
      if (a_valid) assert (a_data == a_out_q);
      if (b_valid) assert (b_data == b_out_q);
    end
  end
endmodule
`default_nettype wire
