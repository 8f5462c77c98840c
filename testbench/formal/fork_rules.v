// Rules of a fork of stream s into p and q: what is offered stays, both sides get every beat once and in order, and a beat is
// taken only when both have it. `PART` is replaced by the module.
`default_nettype none
module fork_rules (
  input wire clk_i,
  input wire rst_i,
  input wire s_valid_i,
  input wire [3:0] s_data_i,
  input wire p_ready_i,
  input wire q_ready_i
);
  wire s_ready, p_valid, q_valid;
  wire [3:0] p_data, q_data;
  PART u_part (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(s_valid_i), .s_ready_o(s_ready), .s_data_i(s_data_i),
    .p_valid_o(p_valid), .p_ready_i(p_ready_i), .p_data_o(p_data),
    .q_valid_o(q_valid), .q_ready_i(q_ready_i), .q_data_o(q_data)
  );
  reg started_q = 0, s_waited_q = 0, p_waited_q = 0, q_waited_q = 0;
  reg [3:0] in_q = 0, p_q = 0, q_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    s_waited_q <= started_q && s_valid_i && !s_ready;
    p_waited_q <= started_q && p_valid && !p_ready_i;
    q_waited_q <= started_q && q_valid && !q_ready_i;
    if (s_waited_q) assume (s_valid_i);
    assume (s_data_i == in_q);
    if (started_q) begin
      if (s_valid_i && s_ready) in_q <= in_q + 1;
      if (p_valid && p_ready_i) p_q <= p_q + 1;
      if (q_valid && q_ready_i) q_q <= q_q + 1;
      // A side is the beat under way ahead, or level.
      assert (p_q - in_q <= 1 && q_q - in_q <= 1);
      if (p_valid) assert (p_data == p_q);
      if (q_valid) assert (q_data == q_q);
      if (p_waited_q) assert (p_valid);
      if (q_waited_q) assert (q_valid);
    end
  end
endmodule
`default_nettype wire
