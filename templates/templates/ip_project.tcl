set here [file dirname [file normalize [info script]]]

# What Vivado finds nothing of is an error, not a silent gap.
proc found {what objects} {
  if {[llength $objects] == 0} {
    error "Vivado finds no $what"
  }
  return $objects
}

create_project -force package [file join $here vivado] -part {{ ip.part }}
add_files -norecurse [list \
{%- for f in ip.rtl %}
  [file join $here {{ f }}] \
{%- endfor %}
]
set clock [file join $here {{ ip.xdc }}]
add_files -fileset constrs_1 -norecurse $clock
set_property USED_IN {synthesis implementation out_of_context} [found "file $clock" [get_files $clock]]
set_property top {{ ip.top }} [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir [file join $here ip] -vendor {{ ip.vendor }} -library {{ ip.library }} -taxonomy /UserIP -import_files -set_current true -force
set core [ipx::current_core]
set_property name {{ ip.top }} $core
set_property version {{ ip.version }} $core
set_property display_name {{ ip.top }} $core
set_property description {{ ip.title }} $core
set_property vendor_display_name Bitlathe $core
set_property supported_families {} $core
set_property auto_family_support_level level_2 $core

# A generated core is already specialised.
foreach parameter [ipx::get_user_parameters -of_objects $core] {
  ipx::remove_user_parameter [get_property NAME $parameter] $core
}

# The attributes of the ports say which interface each belongs to.
foreach bus {{ '{' }}{{ ip.buses|join(" ") }}{{ '}' }} {
  found "interface $bus" [ipx::get_bus_interfaces $bus -of_objects $core]
  ipx::associate_bus_interfaces -busif $bus -clock {{ ip.clock }} $core
}
ipx::associate_bus_interfaces -clock {{ ip.clock }} -reset {{ ip.reset }} $core
