// Handshake and value of the serial divider (DEN_W = 3, Q_W = 3): one division at a time, its quotient offered Q_W + 1 cycles after
// the operands were taken, kept until it is taken, and floor(num / den) for legal operands. Every run of so many cycles.
`default_nettype none
module divider_rules (
  input wire clk_i,
  input wire rst_i,
  input wire s_valid_i,
  input wire [5:0] num_i,
  input wire [2:0] den_i,
  input wire m_ready_i
);
  wire s_ready, m_valid;
  wire [2:0] quotient;
  divider #(.DEN_W(3), .Q_W(3)) u_divider (
    .clk_i(clk_i), .rst_i(rst_i),
    .s_valid_i(s_valid_i), .s_ready_o(s_ready), .num_i(num_i), .den_i(den_i),
    .m_valid_o(m_valid), .m_ready_i(m_ready_i), .quotient_o(quotient)
  );
  reg started_q = 0, open_q = 0;
  reg [2:0] age_q = 0, den_q;
  reg [5:0] num_q;
  wire [5:0] product = quotient * den_q;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    else assume (!rst_i);
    assume (!s_valid_i || num_i < {den_i, 3'b000});
    if (started_q) begin
      assert (s_ready == !open_q);
      assert (m_valid == (open_q && age_q == 4));
      if (open_q && age_q != 4) age_q <= age_q + 1;
      if (s_valid_i && s_ready) begin
        open_q <= 1;
        age_q <= 1;
        num_q <= num_i;
        den_q <= den_i;
      end
      if (m_valid && m_ready_i) open_q <= 0;
      if (m_valid) assert (product <= num_q && num_q - product < den_q);
    end
  end
endmodule
`default_nettype wire
