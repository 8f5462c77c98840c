{%- for line in banner %}
# {{ line }}
{%- endfor %}
#
# Places and routes `{{ top }}` alone on {{ part }} at {{ mhz }} MHz; reports go to the folder out_of_context/ beside this script:
#   vivado -mode batch -source out_of_context.tcl
# Not run in Vivado. Run against stand-ins for the commands that it uses; its Verilog is linted, and synthesized with Yosys.

set here [file dirname [file normalize [info script]]]
set reports [file join $here out_of_context]
file mkdir $reports

create_project -in_memory -part {{ part }}
read_verilog [list \
{%- for f in rtl %}
  [file join $here {{ f }}] \
{%- endfor %}
]
read_xdc -mode out_of_context [file join $here {{ xdc }}]
synth_design -top {{ top }} -part {{ part }} -mode out_of_context
if {[llength [get_clocks {{ clock }}]] == 0} {
  error "the clock constraint matches no port"
}
opt_design
place_design
phys_opt_design
route_design
report_utilization -hierarchical -file [file join $reports utilization.txt]
report_timing_summary -file [file join $reports timing.txt]
set slack [get_property SLACK [get_timing_paths -setup -max_paths 1]]
puts "slack at {{ mhz }} MHz: $slack ns; reports in $reports"
