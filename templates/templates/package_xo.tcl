{%- for line in ip.banner %}
# {{ line }}
{%- endfor %}
#
# Makes the kernel `{{ ip.top }}` for v++, {{ ip.top }}.xo beside this script:
#   vivado -mode batch -source package_xo.tcl
# Not run in Vivado. Run against stand-ins for the commands that it uses; its Verilog is linted, and synthesized with Yosys.

{% include "ip_project.tcl" %}

set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
set_property ipi_drc {ignore_freq_hz true} $core
set_property vitis_drc {ctrl_protocol ap_ctrl_hs} $core

# The control block under the names that XRT looks for, then the arguments in their order: name, offset, bits, the master that a
# pointer is for, description.
set registers {
  { CTRL 0x000 32 {} "Start and end of jobs." }
  { GIER 0x004 32 {} "Interrupts at all." }
  { IP_IER 0x008 32 {} "Which interrupts." }
  { IP_ISR 0x00c 32 {} "Interrupts that wait." }
{%- for a in arguments %}
  { {{ a.name }} {{ a.offset }} {{ a.bits }} {{ '{' }}{{ a.bus }}{{ '}' }} {{ a.tcl }} }
{%- endfor %}
}
{% include "ip_map.tcl" %}
foreach entry $registers {
  lassign $entry name offset bits bus description
  set register [ipx::add_register $name $block]
  set_property address_offset $offset $register
  set_property size $bits $register
  set_property description $description $register
  if {$bus ne {}} {
    set_property value $bus [ipx::add_register_parameter ASSOCIATED_BUSIF $register]
  }
}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
package_xo -force -xo_path [file join $here {{ ip.top }}.xo] -kernel_name {{ ip.top }} -ip_directory [file join $here ip] -ctrl_protocol ap_ctrl_hs
puts "packaged: [file join $here {{ ip.top }}.xo]"
