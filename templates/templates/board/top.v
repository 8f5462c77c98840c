{%- for line in banner %}
// {{ line }}
{%- endfor %}
//
{%- for line in about %}
// {{ line }}
{%- endfor %}

`default_nettype none

module {{ top }} #(
{%- if let Some(value) = implementation %}
    // vendor primitives, or their behavioural forms when 0
    parameter IMPL = {{ value }},
{%- endif %}
    // clock cycles of a bit of the UART: {{ baud }}
    parameter DIVIDER = {{ divider }},
    // clock cycles between two tests
    parameter PAUSE = {{ pause }}
) (
    input wire {{ clock }},
    output wire {{ text }},
    output wire [{{ lights_msb }}:0] {{ lights }}
);
  // Reset for the first 255 cycles: block memories of iCE40 give their contents only some microseconds after configuration.
  reg [7:0] power_q;
  initial power_q = 8'd0;
  wire rst = ~&power_q;
  always @(posedge {{ clock }}) begin
    if (rst) power_q <= power_q + 8'd1;
  end

  // The line rests until the transmitter is out of reset.
  wire tx;
  assign {{ text }} = rst | tx;

  wire heartbeat;
  wire done;
  wire pass;
  wire fail;
  // verilator lint_off UNUSEDSIGNAL
  wire [3:0] lights = {heartbeat, done, pass, fail};
  // verilator lint_on UNUSEDSIGNAL
  assign {{ lights }} = {% if lit_by_zero %}~{% endif %}{ {%- for wire in shows %}{{ wire }}{% if !loop.last %}, {% endif %}{% endfor -%} };

  {{ self_test }} #(
{%- if implementation.is_some() %}
      .IMPL(IMPL),
{%- endif %}
      .DIVIDER(DIVIDER),
      .PAUSE(PAUSE)
  ) u_self_test (
      .clk_i({{ clock }}),
      .rst_i(rst),
      .tx_o(tx),
      .heartbeat_o(heartbeat),
      .done_o(done),
      .pass_o(pass),
      .fail_o(fail)
  );
endmodule

`default_nettype wire
