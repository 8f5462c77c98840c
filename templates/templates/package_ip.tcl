{%- for line in ip.banner %}
# {{ line }}
{%- endfor %}
#
# Makes a Vivado IP of `{{ ip.top }}` in the folder ip/ beside this script:
#   vivado -mode batch -source package_ip.tcl
# Not run in Vivado. Run against stand-ins for the commands that it uses; its Verilog is linted, and synthesized with Yosys.

{% include "ip_project.tcl" %}

# Register, offset, description, fields: name, lowest bit, bits, access, what a written one does, description.
set registers {
{%- for r in registers %}
  { {{ r.name }} {{ r.offset }} {{ r.tcl }} {
{%- for f in r.fields %}
    { {{ f.name }} {{ f.lsb }} {{ f.width }} {{ f.access }} {{ f.write }} {{ f.tcl }} }
{%- endfor %}
  } }
{%- endfor %}
}
{% include "ip_map.tcl" %}
foreach entry $registers {
  lassign $entry name offset description fields
  set register [ipx::add_register $name $block]
  set_property address_offset $offset $register
  set_property size 32 $register
  set_property description $description $register
  foreach field $fields {
    lassign $field name lsb width access write description
    set field [ipx::add_field $name $register]
    set_property bit_offset $lsb $field
    set_property bit_width $width $field
    set_property access $access $field
    set_property modified_write_value $write $field
    set_property description $description $field
  }
}

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
puts "packaged: [file join $here ip]"
