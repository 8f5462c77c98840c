# What Vivado infers is a map without registers.
foreach map [ipx::get_memory_maps * -of_objects $core] {
  ipx::remove_memory_map [get_property NAME $map] $core
}
set map [ipx::add_memory_map {{ ip.control }} $core]
set block [ipx::add_address_block reg0 $map]
set_property range {{ ip.range }} $block
set_property width 32 $block
set_property usage register $block
set_property slave_memory_map_ref {{ ip.control }} [found "interface {{ ip.control }}" [ipx::get_bus_interfaces {{ ip.control }} -of_objects $core]]
