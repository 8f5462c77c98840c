// Stream rules of a part with ports s_* and m_*: an offered beat stays and keeps its value until it is taken, and one beat that
// is followed through comes out unchanged. `PART` is replaced by the instance under proof.
`default_nettype none
module stream_rules (
  input wire clk_i,
  input wire rst_i,
  input wire s_valid_i,
  input wire [3:0] s_data_i,
  input wire m_ready_i
);
  wire s_ready, m_valid;
  wire [3:0] m_data;
  PART u_part (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(s_valid_i), .s_ready_o(s_ready), .s_data_i(s_data_i),
    .m_valid_o(m_valid), .m_ready_i(m_ready_i), .m_data_o(m_data)
  );
  reg started_q = 0, waited_q = 0, s_waited_q = 0;
  reg [3:0] data_q;
  reg [4:0] in_q = 0, out_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    waited_q <= started_q && m_valid && !m_ready_i;
    data_q <= m_data;
    if (started_q && s_valid_i && s_ready) in_q <= in_q + 1;
    if (started_q && m_valid && m_ready_i) out_q <= out_q + 1;
    // The source keeps the rules itself.
    s_waited_q <= started_q && s_valid_i && !s_ready;
    if (s_waited_q) assume (s_valid_i);
    // Beats carry their own number, so order and loss show in the data.
    if (started_q) assume (!s_valid_i || s_data_i == in_q[3:0]);
    if (waited_q) begin
      assert (m_valid);
      assert (m_data == data_q);
    end
    if (started_q && m_valid) assert (m_data == out_q[3:0]);
  end
endmodule
`default_nettype wire
