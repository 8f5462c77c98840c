// Handshake and order of the replay buffer (four-bit words, DEPTH = 3): an offered beat stays until it is taken or forgotten, and
// beat n of the output is loaded beat n modulo their number, watched at one arbitrary place. Every run of so many cycles.
`default_nettype none
module replay_rules (
  input wire clk_i,
  input wire rst_i,
  input wire reload_i,
  input wire s_valid_i,
  input wire s_last_i,
  input wire [3:0] s_data_i,
  input wire m_ready_i
);
  wire s_ready, m_valid;
  wire [3:0] m_data;
  PART #(.WIDTH(4), .DEPTH(3)) u_part (
    .clk_i(clk_i), .rst_i(rst_i), .reload_i(reload_i),
    .s_valid_i(s_valid_i), .s_ready_o(s_ready), .s_data_i(s_data_i), .s_last_i(s_last_i),
    .m_valid_o(m_valid), .m_ready_i(m_ready_i), .m_data_o(m_data)
  );
  (* anyconst *) reg [1:0] place;
  reg started_q = 0, waited_q = 0, loading_q = 1;
  reg [1:0] write_q = 0, read_q = 0, last_q;
  reg [3:0] data_q, watched_q;
  wire take = s_valid_i && s_ready;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    // No more beats than there is room for.
    assume (!s_valid_i || write_q != 2 || s_last_i);
    waited_q <= started_q && m_valid && !m_ready_i && !reload_i;
    data_q <= m_data;
    if (started_q) begin
      assert (s_ready == loading_q);
      assert (!m_valid || !loading_q);
      if (waited_q) assert (m_valid && m_data == data_q);
      if (m_valid && read_q == place) assert (m_data == watched_q);
      if (take && write_q == place) watched_q <= s_data_i;
      if (take) write_q <= write_q + 1;
      if (take && s_last_i) begin
        loading_q <= 0;
        last_q <= write_q;
      end
      if (m_valid && m_ready_i) read_q <= read_q == last_q ? 0 : read_q + 1;
      if (reload_i) begin
        loading_q <= 1;
        write_q <= 0;
        read_q <= 0;
      end
    end
  end
endmodule
`default_nettype wire
