// Handshake of a part with ports s_* and m_*: an offered beat stays and keeps its value until it is taken. Proven by induction,
// so for all time. `PART` is replaced by the instance under proof with its parameters (words of four bits), `S_WORDS` and
// `M_WORDS` by the words of a beat on either side, `LAST` by the connection of s_last_i and m_last_o where the part has them.
`default_nettype none
module stream_rules (
  input wire clk_i,
  input wire rst_i,
  input wire s_valid_i,
  input wire s_last_i,
  input wire [4*S_WORDS-1:0] s_data_i,
  input wire m_ready_i
);
  wire s_ready, m_valid;
  wire m_last;
  wire [4*M_WORDS-1:0] m_data;
  PART u_part (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(s_valid_i), .s_ready_o(s_ready), .s_data_i(s_data_i),
    .m_valid_o(m_valid), .m_ready_i(m_ready_i), .m_data_o(m_data) LAST
  );
  reg started_q = 0, waited_q = 0, last_q = 0;
  reg [4*M_WORDS-1:0] data_q;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    waited_q <= started_q && m_valid && !m_ready_i;
    data_q <= m_data;
    last_q <= m_last;
    if (waited_q) begin
      assert (m_valid);
      assert (m_data == data_q);
      assert (m_last == last_q);
    end
  end
endmodule
`default_nettype wire
