// Order of a part with ports s_* and m_*: words come out as they went in, none lost, none twice. Each word carries its own number
// modulo 16, so more words inside the part than that would escape. Proven for every run of so many cycles. `PART`, `S_WORDS`,
// `M_WORDS` and `LAST` as in `stream_rules.v`; no beat is the last.
`default_nettype none
module stream_order (
  input wire clk_i,
  input wire rst_i,
  input wire s_valid_i,
  input wire m_ready_i
);
  wire s_ready, m_valid;
  wire s_last_i = 0, m_last;
  wire [4*S_WORDS-1:0] s_data;
  wire [4*M_WORDS-1:0] m_data, expected;
  reg [3:0] in_q = 0, out_q = 0;
  genvar i;
  generate
    for (i = 0; i < S_WORDS; i = i + 1) begin : g_in
      wire [3:0] number = in_q + i;
      assign s_data[4*i +: 4] = number;
    end
    for (i = 0; i < M_WORDS; i = i + 1) begin : g_out
      wire [3:0] number = out_q + i;
      assign expected[4*i +: 4] = number;
    end
  endgenerate
  PART u_part (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(s_valid_i), .s_ready_o(s_ready), .s_data_i(s_data),
    .m_valid_o(m_valid), .m_ready_i(m_ready_i), .m_data_o(m_data) LAST
  );
  reg started_q = 0;
  // Words inside the part; a word cannot leave before it came.
  reg [7:0] inside_q = 0;
  wire take = started_q && s_valid_i && s_ready;
  wire give = started_q && m_valid && m_ready_i;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    if (take) in_q <= in_q + S_WORDS;
    if (give) out_q <= out_q + M_WORDS;
    inside_q <= inside_q + (take ? S_WORDS : 0) - (give ? M_WORDS : 0);
    if (started_q && m_valid) begin
      assert (m_data == expected);
      assert (inside_q >= M_WORDS);
    end
  end
endmodule
`default_nettype wire
