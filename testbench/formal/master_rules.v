// Rules of AXI4 for the masters of kernels, between a free core and a free memory. generator/flow/tests/kernel.rs puts the part under
// test into a harness. Small parameters, the same text: words of four bytes, bursts of two words, queues of four.
`default_nettype none

// Bursts in the order of the walk: each begins where the one before ended, none crosses a block or the end of a pass, none is left
// out and none is one too many.
module walk_rules (
  input wire clk_i,
  input wire rst_i,
  input wire start,
  input wire busy,
  input wire [63:0] address,
  input wire [3:0] words,
  input wire [1:0] passes,
  input wire valid,
  input wire ready,
  input wire [63:0] place,
  input wire [7:0] length,
  output reg all_asked_q
);
  // The arguments hold while a job runs.
  reg [63:0] address_q;
  reg [3:0] words_q;
  reg [1:0] passes_q;
  reg ran_q = 0;
  reg [63:0] next_q;
  reg [3:0] left_q;
  reg [1:0] passes_left_q;
  wire take = valid && ready;
  wire [8:0] beats = length + 1;
  initial all_asked_q = 1;
  always @(posedge clk_i) begin
    {address_q, words_q, passes_q} <= {address, words, passes};
    ran_q <= !rst_i && (start || busy);
    if (ran_q) assume (address == address_q && words == words_q && passes == passes_q);
    assume (words != 0 && passes != 0);
    // Enough for carries into every part of the address, and less for the prover to carry.
    assume (&address[60:15] || ~|address[60:15]);
    if (busy) assume (!start);
    if (rst_i) all_asked_q <= 1;
    else if (start) begin
      all_asked_q <= 0;
      next_q <= {address[63:2], 2'b00};
      left_q <= words;
      passes_left_q <= passes;
    end else if (take) begin
      if (left_q == beats) begin
        next_q <= {address[63:2], 2'b00};
        left_q <= words;
        passes_left_q <= passes_left_q - 1;
        all_asked_q <= passes_left_q == 1;
      end else begin
        next_q <= next_q + 4 * beats;
        left_q <= left_q - beats;
      end
    end
    if (!rst_i && valid) begin
      assert (!all_asked_q);
      assert (place == next_q);
      assert (beats <= left_q);
      // Blocks of eight bytes, which divide 4 KiB.
      assert (place[11:0] + 4 * beats - 1 <= {place[11:3], 3'b111});
    end
  end
endmodule

// An offer stays as it is until it is taken.
module offer_rules #(parameter PAYLOAD = 1) (
  input wire clk_i,
  input wire rst_i,
  input wire valid,
  input wire ready,
  input wire [PAYLOAD-1:0] payload
);
  reg waited_q = 0, reset_q = 0;
  reg [PAYLOAD-1:0] payload_q;
  always @(posedge clk_i) begin
    waited_q <= !rst_i && valid && !ready;
    payload_q <= payload;
    reset_q <= rst_i;
    if (reset_q) assert (!valid);
    if (waited_q) assert (valid && payload == payload_q);
  end
endmodule

// What a burst walk keeps for all time, which its masters rely on. The harness calls it inside of `burst_walk`.
module walk_inside (
  input wire clk_i,
  input wire start,
  input wire active,
  input wire offered,
  input wire ends,
  input wire low,
  input wire [1:0] length,
  input wire [3:0] left,
  input wire [3:0] words
);
  reg started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    assume (words != 0);
    if (active) assume (!start);
    if (started_q && active) assert (left != 0);
    if (started_q && offered) begin
      assert (active);
      assert (length != 0 && length + low <= 2);
      assert (length <= left && ends == (length == left));
    end
  end
endmodule

// At most sixteen bursts are without an answer; none is answered that was not asked for. Called inside of `write_master`.
module write_inside (
  input wire clk_i,
  input wire bvalid,
  input wire [4:0] pending
);
  reg started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    assume (!bvalid || pending != 0);
    if (started_q) assert (pending <= 16);
  end
endmodule

// For all time: offers stay, and no burst leaves its block of eight bytes.
module read_offers (
  input wire clk_i,
  input wire rst_i,
  input wire start,
  input wire [63:0] address,
  input wire [3:0] words,
  input wire [1:0] passes,
  input wire arready,
  input wire rvalid,
  input wire [31:0] rdata,
  input wire [1:0] rresp,
  input wire rlast,
  input wire m_ready
);
  wire arvalid, rready, error, m_valid, m_last;
  wire [63:0] araddr;
  wire [7:0] arlen;
  wire [31:0] m_data;
  read_master #(.WORD_W(2), .BURST_W(1), .COUNT_W(4), .PASS_W(2), .DEPTH(4)) part (
    .clk_i(clk_i), .rst_i(rst_i), .start_i(start), .address_i(address), .words_i(words), .passes_i(passes),
    .arvalid_o(arvalid), .arready_i(arready), .araddr_o(araddr), .arlen_o(arlen),
    .rvalid_i(rvalid), .rready_o(rready), .rdata_i(rdata), .rresp_i(rresp), .rlast_i(rlast), .error_o(error),
    .m_valid_o(m_valid), .m_ready_i(m_ready), .m_data_o(m_data), .m_last_o(m_last)
  );
  offer_rules #(.PAYLOAD(72)) ar (.clk_i(clk_i), .rst_i(rst_i), .valid(arvalid), .ready(arready), .payload({araddr, arlen}));
  offer_rules #(.PAYLOAD(33)) m (.clk_i(clk_i), .rst_i(rst_i), .valid(m_valid), .ready(m_ready), .payload({m_data, m_last}));
  reg started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    if (started_q && arvalid) assert (araddr[1:0] == 0 && araddr[2] + arlen <= 1);
  end
endmodule

module write_offers (
  input wire clk_i,
  input wire rst_i,
  input wire start,
  input wire [63:0] address,
  input wire [3:0] words,
  input wire s_valid,
  input wire [31:0] s_data,
  input wire awready,
  input wire wready,
  input wire bvalid,
  input wire [1:0] bresp
);
  wire awvalid, wvalid, wlast, s_ready, idle, error;
  wire [63:0] awaddr;
  wire [7:0] awlen;
  wire [31:0] wdata;
  write_master #(.WORD_W(2), .BURST_W(1), .COUNT_W(4), .PASS_W(1), .DEPTH(4)) part (
    .clk_i(clk_i), .rst_i(rst_i), .start_i(start), .address_i(address), .words_i(words), .idle_o(idle), .error_o(error),
    .s_valid_i(s_valid), .s_ready_o(s_ready), .s_data_i(s_data),
    .awvalid_o(awvalid), .awready_i(awready), .awaddr_o(awaddr), .awlen_o(awlen),
    .wvalid_o(wvalid), .wready_i(wready), .wdata_o(wdata), .wlast_o(wlast), .bvalid_i(bvalid), .bresp_i(bresp)
  );
  offer_rules #(.PAYLOAD(72)) aw (.clk_i(clk_i), .rst_i(rst_i), .valid(awvalid), .ready(awready), .payload({awaddr, awlen}));
  offer_rules #(.PAYLOAD(33)) w (.clk_i(clk_i), .rst_i(rst_i), .valid(wvalid), .ready(wready), .payload({wdata, wlast}));
  reg started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    if (started_q && awvalid) assert (awaddr[1:0] == 0 && awaddr[2] + awlen <= 1);
  end
endmodule

// Words of bursts that were asked for and have not moved, oldest lowest: one where a word is the last of its burst.
module under_way (
  input wire clk_i,
  input wire rst_i,
  input wire ask,
  input wire [7:0] length,
  input wire move,
  output reg [3:0] count_q,
  output reg [7:0] last_q
);
  // A word may move in the cycle in which its burst is asked for.
  wire [3:0] count = count_q + (ask ? length + 1 : 0);
  wire [7:0] last = last_q | (ask ? 8'd1 << (count_q + length) : 8'd0);
  initial {count_q, last_q} = 0;
  always @(posedge clk_i) begin
    count_q <= rst_i ? 0 : count - move;
    last_q <= rst_i ? 0 : last >> move;
  end
endmodule

module read_rules (
  input wire clk_i,
  input wire rst_i,
  input wire start,
  input wire [63:0] address,
  input wire [3:0] words,
  input wire [1:0] passes,
  input wire arready,
  input wire rvalid,
  input wire [1:0] rresp,
  input wire m_ready
);
  wire arvalid, rready, error, m_valid, m_last, all_asked;
  wire [63:0] araddr;
  wire [7:0] arlen;
  wire [31:0] m_data;
  wire [3:0] count;
  wire [7:0] last;
  // The memory gives numbered words, for requests alone and with their ends.
  reg [5:0] in_q = 0, out_q = 0, asked_q = 0;
  wire rlast = last[0];
  read_master #(.WORD_W(2), .BURST_W(1), .COUNT_W(4), .PASS_W(2), .DEPTH(4)) part (
    .clk_i(clk_i), .rst_i(rst_i), .start_i(start), .address_i(address), .words_i(words), .passes_i(passes),
    .arvalid_o(arvalid), .arready_i(arready), .araddr_o(araddr), .arlen_o(arlen),
    .rvalid_i(rvalid), .rready_o(rready), .rdata_i({26'd0, in_q}), .rresp_i(rresp), .rlast_i(rlast), .error_o(error),
    .m_valid_o(m_valid), .m_ready_i(m_ready), .m_data_o(m_data), .m_last_o(m_last)
  );
  reg running_q = 0;
  wire ask = arvalid && arready, move = rvalid && rready, leave = m_valid && m_ready;
  walk_rules walk (
    .clk_i(clk_i), .rst_i(rst_i), .start(start), .busy(running_q), .address(address), .words(words), .passes(passes),
    .valid(arvalid), .ready(arready), .place(araddr), .length(arlen), .all_asked_q(all_asked)
  );
  offer_rules #(.PAYLOAD(72)) ar (.clk_i(clk_i), .rst_i(rst_i), .valid(arvalid), .ready(arready), .payload({araddr, arlen}));
  offer_rules #(.PAYLOAD(33)) m (.clk_i(clk_i), .rst_i(rst_i), .valid(m_valid), .ready(m_ready), .payload({m_data, m_last}));
  under_way open (.clk_i(clk_i), .rst_i(rst_i), .ask(ask), .length(arlen), .move(move), .count_q(count), .last_q(last));
  reg started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    if (rst_i) assume (!start);
    assume (!rvalid || count != 0);
    running_q <= !rst_i && (start || (running_q && !(leave && m_last)));
    if (rst_i || start) {in_q, out_q, asked_q} <= 0;
    else begin
      in_q <= in_q + move;
      out_q <= out_q + leave;
      asked_q <= asked_q + (ask ? arlen + 1 : 0);
    end
    if (started_q && !rst_i) begin
      // There is room for every word on its way: the core never holds the memory up.
      assert (count + (in_q - out_q) <= 4);
      if (rvalid) assert (rready);
      if (m_valid) begin
        assert (running_q);
        assert (m_data == out_q);
        assert (m_last == (all_asked && out_q + 6'd1 == asked_q));
      end
      assert (error == (move && rresp[1]));
      if (!running_q) assert (!arvalid);
    end
  end
endmodule

module write_rules (
  input wire clk_i,
  input wire rst_i,
  input wire start,
  input wire [63:0] address,
  input wire [3:0] words,
  input wire s_valid,
  input wire awready,
  input wire wready,
  input wire bvalid,
  input wire [1:0] bresp
);
  wire awvalid, wvalid, wlast, s_ready, idle, error, all_asked;
  wire [63:0] awaddr;
  wire [7:0] awlen;
  wire [31:0] wdata;
  wire [3:0] count;
  wire [7:0] last;
  // The core gives numbered words.
  reg [5:0] in_q = 0, out_q = 0;
  write_master #(.WORD_W(2), .BURST_W(1), .COUNT_W(4), .PASS_W(1), .DEPTH(4)) part (
    .clk_i(clk_i), .rst_i(rst_i), .start_i(start), .address_i(address), .words_i(words), .idle_o(idle), .error_o(error),
    .s_valid_i(s_valid), .s_ready_o(s_ready), .s_data_i({26'd0, in_q}),
    .awvalid_o(awvalid), .awready_i(awready), .awaddr_o(awaddr), .awlen_o(awlen),
    .wvalid_o(wvalid), .wready_i(wready), .wdata_o(wdata), .wlast_o(wlast), .bvalid_i(bvalid), .bresp_i(bresp)
  );
  walk_rules walk (
    .clk_i(clk_i), .rst_i(rst_i), .start(start), .busy(!idle), .address(address), .words(words), .passes(2'd1),
    .valid(awvalid), .ready(awready), .place(awaddr), .length(awlen), .all_asked_q(all_asked)
  );
  offer_rules #(.PAYLOAD(72)) aw (.clk_i(clk_i), .rst_i(rst_i), .valid(awvalid), .ready(awready), .payload({awaddr, awlen}));
  offer_rules #(.PAYLOAD(33)) w (.clk_i(clk_i), .rst_i(rst_i), .valid(wvalid), .ready(wready), .payload({wdata, wlast}));
  // Words may come before the address of their burst is taken, and not before it is offered.
  reg offered_q = 0;
  wire ask = awvalid && !offered_q, move = wvalid && wready;
  under_way open (.clk_i(clk_i), .rst_i(rst_i), .ask(ask), .length(awlen), .move(move), .count_q(count), .last_q(last));
  wire known = count != 0 || ask;
  wire is_last = count != 0 ? last[0] : awlen == 0;
  // Bursts whose address, and whose last word, was taken, and those that were answered.
  reg [3:0] aw_q = 0, wlast_q = 0, b_q = 0;
  reg stood_q = 0, started_q = 0;
  always @(posedge clk_i) begin
    started_q <= 1;
    if (!started_q) assume (rst_i);
    if (rst_i) assume (!start);
    offered_q <= !rst_i && awvalid && !awready;
    assume (!bvalid || (b_q != aw_q && b_q != wlast_q));
    if (rst_i) {aw_q, wlast_q, b_q, in_q, out_q} <= 0;
    else begin
      aw_q <= aw_q + (awvalid && awready);
      wlast_q <= wlast_q + (move && wlast);
      b_q <= b_q + bvalid;
      in_q <= in_q + (s_valid && s_ready);
      out_q <= out_q + move;
    end
    stood_q <= !rst_i && move && !wlast;
    if (started_q && !rst_i) begin
      if (wvalid) begin
        assert (known && wlast == is_last);
        assert (wdata == out_q);
      end
      // Within a burst no word is waited for.
      if (stood_q) assert (wvalid);
      if (idle) assert (all_asked && !awvalid && !wvalid && aw_q == b_q && wlast_q == b_q);
      assert (error == (bvalid && bresp[1]));
    end
  end
endmodule
`default_nettype wire
