// Rules of AXI at the ports of a wrapped core. The harness around them is made by generator/flow/tests/wrapped.rs, which puts a
// core in the middle that does whatever it likes. The clients are free too: nothing is assumed but a reset in the first cycle.
`default_nettype none

// An offered beat stays as it is until it is taken.
module axi_stream_rules #(parameter PAYLOAD = 1) (
  input wire aclk,
  input wire aresetn,
  input wire tvalid,
  input wire tready,
  input wire [PAYLOAD-1:0] payload
);
  reg waited_q = 0;
  reg [PAYLOAD-1:0] payload_q;
  reg held_reset_q = 0;
  always @(posedge aclk) begin
    waited_q <= aresetn && tvalid && !tready;
    payload_q <= payload;
    held_reset_q <= !aresetn;
    if (held_reset_q) assert (!tvalid);
    if (waited_q) begin
      assert (tvalid);
      assert (payload == payload_q);
    end
  end
endmodule

// Every request is answered once and soon; no answer comes without a request; an answer stays until it is taken. With RESPONSES
// also which answer: SLVERR exactly where no register is.
module axi_lite_rules #(parameter RESPONSES = 0) (
  input wire aclk,
  input wire aresetn,
  input wire [11:0] awaddr,
  input wire awvalid,
  input wire awready,
  input wire wvalid,
  input wire wready,
  input wire [1:0] bresp,
  input wire bvalid,
  input wire bready,
  input wire [11:0] araddr,
  input wire arvalid,
  input wire arready,
  input wire [31:0] rdata,
  input wire [1:0] rresp,
  input wire rvalid,
  input wire rready
);
  axi_stream_rules #(.PAYLOAD(2)) b_rules (.aclk(aclk), .aresetn(aresetn), .tvalid(bvalid), .tready(bready), .payload(bresp));
  axi_stream_rules #(.PAYLOAD(34)) r_rules (
    .aclk(aclk), .aresetn(aresetn), .tvalid(rvalid), .tready(rready), .payload({rresp, rdata})
  );

  // Requests without an answer that was taken: at most one waits for its access, and one for its answer to be taken.
  reg started_q = 0;
  reg [1:0] aw_q, w_q, ar_q;
  // Cycles in which a request has waited for its answer.
  reg [2:0] b_wait_q, r_wait_q;
  wire b_due = aw_q != 0 && w_q != 0 && !bvalid;
  wire r_due = ar_q != 0 && !rvalid;
  always @(posedge aclk) begin
    started_q <= 1;
    if (!started_q) assume (!aresetn);
    if (!aresetn) begin
      {aw_q, w_q, ar_q} <= 0;
      {b_wait_q, r_wait_q} <= 0;
    end else begin
      aw_q <= aw_q + {1'b0, awvalid && awready} - {1'b0, bvalid && bready};
      w_q <= w_q + {1'b0, wvalid && wready} - {1'b0, bvalid && bready};
      ar_q <= ar_q + {1'b0, arvalid && arready} - {1'b0, rvalid && rready};
      b_wait_q <= b_due ? b_wait_q + 1 : 0;
      r_wait_q <= r_due ? r_wait_q + 1 : 0;
    end
    if (started_q) begin
      assert (aw_q == {1'b0, !awready} + {1'b0, bvalid});
      assert (w_q == {1'b0, !wready} + {1'b0, bvalid});
      assert (ar_q == {1'b0, !arready} + {1'b0, rvalid});
      if (bvalid) assert (aw_q != 0 && w_q != 0);
      if (rvalid) assert (ar_q != 0);
      assert (b_wait_q <= 2);
      assert (r_wait_q <= 3);
    end
  end

  generate if (RESPONSES) begin : g_responses
    reg [11:0] awaddr_q, araddr_q;
    reg aw_held_q = 0, ar_held_q = 0;
    always @(posedge aclk) begin
      if (awvalid && awready) awaddr_q <= awaddr;
      if (arvalid && arready) araddr_q <= araddr;
      aw_held_q <= aresetn && !awready;
      ar_held_q <= aresetn && !arready;
      if (aw_held_q && awready) assert (bvalid && bresp == {is_hole(awaddr_q), 1'b0});
      if (ar_held_q && arready) begin
        assert (rvalid && rresp == {is_hole(araddr_q), 1'b0});
        if (is_hole(araddr_q)) assert (rdata == 0);
      end
    end
    function is_hole(input [11:0] address);
      case (address[11:2])
        REGISTER_WORDS: is_hole = 0;
        default: is_hole = 1;
      endcase
    endfunction
  end endgenerate
endmodule
`default_nettype wire
