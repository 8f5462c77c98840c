# Stand-ins for the Vivado commands of a block design and of a run, after stubs.tcl: cells with the pins and interfaces that their IP has
# in their configuration, interfaces that fit each other, addresses that do not overlap. Pins as in PG021, PG059, PG085, PG201, PG247.

namespace eval stub {
  # Cells: name -> ip and properties. Their joined interfaces and driven pins: path -> 1. Addresses: {first last} by segment.
  variable repositories {} cells {} joined {} driven {} addresses {} design {} valid 0 folder {} finished 0
  # Properties that each IP has.
  variable ip_properties {
    zynq_ultra_ps_e {PSU__FPGA_PL0_ENABLE PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ PSU__USE__M_AXI_GP0 PSU__USE__M_AXI_GP1 PSU__USE__M_AXI_GP2
      PSU__USE__S_AXI_GP2 PSU__USE__S_AXI_GP3 PSU__USE__S_AXI_GP4 PSU__USE__S_AXI_GP5
      PSU__SAXIGP2__DATA_WIDTH PSU__SAXIGP3__DATA_WIDTH PSU__SAXIGP4__DATA_WIDTH PSU__SAXIGP5__DATA_WIDTH}
    proc_sys_reset {}
    axi_dma {c_include_sg c_sg_length_width c_include_mm2s c_include_s2mm c_m_axi_mm2s_data_width c_m_axis_mm2s_tdata_width
      c_m_axi_s2mm_data_width c_s_axis_s2mm_tdata_width}
    axis_dwidth_converter {S_TDATA_NUM_BYTES M_TDATA_NUM_BYTES HAS_TLAST HAS_TKEEP}
    smartconnect {NUM_SI NUM_MI}
  }
}

proc stub::cell {name} {
  if {![dict exists $stub::cells $name]} { refuse "no cell `$name`" }
  return [dict get $stub::cells $name]
}
proc stub::value {cell property default} { return [dict getdef [dict get $cell properties] $property $default] }

# Interfaces of a cell: name -> mode, kind, bytes of a beat (0 where any fit).
proc stub::interfaces_of {cell} {
  set found {}
  switch [dict get $cell ip] {
    zynq_ultra_ps_e {
      if {[value $cell PSU__USE__M_AXI_GP0 1]} { dict set found M_AXI_HPM0_FPD {master aximm 0} }
      # These two are there unless they are turned off.
      if {[value $cell PSU__USE__M_AXI_GP1 1]} { dict set found M_AXI_HPM1_FPD {master aximm 0} }
      if {[value $cell PSU__USE__M_AXI_GP2 1]} { dict set found M_AXI_HPM0_LPD {master aximm 0} }
      foreach n {0 1 2 3} {
        if {[value $cell PSU__USE__S_AXI_GP[expr {$n + 2}] 0]} { dict set found S_AXI_HP${n}_FPD {slave aximm 0} }
      }
    }
    axi_dma {
      dict set found S_AXI_LITE {slave aximm 0}
      if {[value $cell c_include_sg 1]} { dict set found M_AXI_SG {master aximm 0} }
      if {[value $cell c_include_mm2s 1]} {
        dict set found M_AXI_MM2S {master aximm 0}
        dict set found M_AXIS_MM2S [list master axis [expr {[value $cell c_m_axis_mm2s_tdata_width 32] / 8}]]
      }
      if {[value $cell c_include_s2mm 1]} {
        dict set found M_AXI_S2MM {master aximm 0}
        dict set found S_AXIS_S2MM [list slave axis [expr {[value $cell c_s_axis_s2mm_tdata_width 32] / 8}]]
      }
    }
    axis_dwidth_converter {
      dict set found S_AXIS [list slave axis [value $cell S_TDATA_NUM_BYTES 1]]
      dict set found M_AXIS [list master axis [value $cell M_TDATA_NUM_BYTES 1]]
    }
    smartconnect {
      for {set n 0} {$n < [value $cell NUM_SI 2]} {incr n} { dict set found [format S%02d_AXI $n] {slave aximm 0} }
      for {set n 0} {$n < [value $cell NUM_MI 1]} {incr n} { dict set found [format M%02d_AXI $n] {master aximm 0} }
    }
    packaged { set found [dict get $cell interfaces] }
  }
  return $found
}

# Pins of a cell that a net joins: name -> direction.
proc stub::pins_of {cell} {
  set found {}
  switch [dict get $cell ip] {
    zynq_ultra_ps_e {
      if {[value $cell PSU__FPGA_PL0_ENABLE 1]} { dict set found pl_clk0 out }
      dict set found pl_resetn0 out
      foreach {name port} {M_AXI_HPM0_FPD maxihpm0_fpd M_AXI_HPM1_FPD maxihpm1_fpd M_AXI_HPM0_LPD maxihpm0_lpd
        S_AXI_HP0_FPD saxihp0_fpd S_AXI_HP1_FPD saxihp1_fpd S_AXI_HP2_FPD saxihp2_fpd S_AXI_HP3_FPD saxihp3_fpd} {
        if {[dict exists [interfaces_of $cell] $name]} { dict set found ${port}_aclk in }
      }
    }
    proc_sys_reset { set found {slowest_sync_clk in ext_reset_in in peripheral_aresetn out} }
    axi_dma {
      set found {s_axi_lite_aclk in axi_resetn in}
      foreach way {mm2s s2mm} {
        if {[value $cell c_include_$way 1]} { dict set found m_axi_${way}_aclk in }
      }
      if {[value $cell c_include_sg 1]} { dict set found m_axi_sg_aclk in }
    }
    default { set found {aclk in aresetn in} }
  }
  return $found
}

proc current_project {} {
  stub::needs project $stub::project
  return [stub::object project design]
}
proc update_ip_catalog {} { stub::needs project $stub::project }
proc create_bd_design {name} {
  stub::needs project $stub::project
  set stub::design $name
}

# Facts of an IP of a repository, as package_ip.tcl left them.
proc stub::packaged {vlnv} {
  foreach repository $stub::repositories {
    set facts [read_text [file join $repository component.xml]]
    if {[dict get $facts vlnv] eq $vlnv} { return [dict get $facts interfaces] }
  }
  refuse "no repository has `$vlnv`"
}
proc create_bd_cell {args} {
  lassign [stub::parse create_bd_cell $args {-type -vlnv} {} 1 1] given rest
  stub::needs "block design" $stub::design
  if {[dict get $given -type] ne {ip}} { stub::refuse "a cell of type [dict get $given -type]" }
  set name [lindex $rest 0]
  if {[dict exists $stub::cells $name]} { stub::refuse "a second cell `$name`" }
  lassign [split [dict get $given -vlnv] :] vendor library ip version
  if {"$vendor:$library" eq {xilinx.com:ip}} {
    if {![dict exists $stub::ip_properties $ip]} { stub::refuse "no IP `$ip`" }
    dict set stub::cells $name [dict create ip $ip properties {}]
  } else {
    set interfaces [stub::packaged [dict get $given -vlnv]]
    dict set stub::cells $name [dict create ip packaged properties {} interfaces $interfaces]
  }
  stub::fact cell $name $ip
  return [stub::object cell $name]
}

# A property of a cell.
proc stub::configure {name property value} {
  set ip [dict get [cell $name] ip]
  if {![string match CONFIG.* $property]} { refuse "a cell has no property $property" }
  set property [string range $property 7 end]
  if {$property ni [dict getdef $stub::ip_properties $ip {}]} { refuse "$ip has no property $property" }
  if {[string match *tdata_width $property] && $value ni {8 16 32 64 128 256 512 1024}} { refuse "$property $value" }
  if {[string match *data_width $property] && ![string match *tdata_width $property] && $value ni {32 64 128 256 512 1024}} {
    refuse "$property $value"
  }
  if {$property in {NUM_SI NUM_MI} && ($value < 1 || $value > 16)} { refuse "$property $value" }
  dict set stub::cells $name properties $property $value
  fact configured $name $property $value
}

proc get_bd_pins {path} {
  lassign [split $path /] name pin
  return [expr {[dict exists $stub::cells $name] && [dict exists [stub::pins_of [stub::cell $name]] $pin] ? [list [stub::object pin $path]] : {}}]
}
proc get_bd_intf_pins {path} {
  lassign [split $path /] name interface
  set found [expr {[dict exists $stub::cells $name] && [dict exists [stub::interfaces_of [stub::cell $name]] $interface]}]
  return [expr {$found ? [list [stub::object interface $path]] : {}}]
}
proc connect_bd_net {args} {
  set outputs 0
  foreach pin $args {
    set path [lindex [lindex $pin 0] 1]
    stub::expect pin [lindex $pin 0]
    lassign [split $path /] name pin
    switch [dict get [stub::pins_of [stub::cell $name]] $pin] {
      out { incr outputs }
      in {
        if {[dict exists $stub::driven $path]} { stub::refuse "$path is driven twice" }
        dict set stub::driven $path 1
      }
    }
  }
  if {$outputs != 1} { stub::refuse "a net of {$args} has $outputs drivers" }
}
proc connect_bd_intf_net {from to} {
  foreach pin [list [lindex $from 0] [lindex $to 0]] {
    stub::expect interface $pin
    set path [lindex $pin 1]
    if {[dict exists $stub::joined $path]} { stub::refuse "$path is connected twice" }
    dict set stub::joined $path 1
    lassign [split $path /] name interface
    lappend ends [dict get [stub::interfaces_of [stub::cell $name]] $interface]
    lappend paths $path
  }
  lassign $ends first second
  if {[lindex $first 0] ne {master} || [lindex $second 0] ne {slave}} { stub::refuse "$paths: not from a master to a slave" }
  if {[lindex $first 1] ne [lindex $second 1]} { stub::refuse "$paths: [lindex $first 1] and [lindex $second 1]" }
  if {[lindex $first 2] != [lindex $second 2]} { stub::refuse "$paths: [lindex $first 2] and [lindex $second 2] bytes" }
  stub::fact joined {*}$paths
}

proc get_bd_addr_spaces {path} { return [expr {$path eq {ps/Data} ? [list [stub::object space $path]] : {}}] }
proc get_bd_addr_segs {-of_objects interface} {
  stub::expect interface [lindex $interface 0]
  return [list [stub::object segment [lindex [lindex $interface 0] 1]]]
}
proc assign_bd_address {args} {
  lassign [stub::parse assign_bd_address $args {-offset -range -target_address_space} {} 0 1] given rest
  if {![llength $rest]} { return }
  set segment [lindex [lindex $rest 0] 0]
  stub::expect segment $segment
  stub::expect space [lindex [dict get $given -target_address_space] 0]
  set first [expr {[dict get $given -offset]}]
  set range [expr {[dict get $given -range]}]
  if {$first % $range} { stub::refuse "$first is no multiple of $range" }
  # What the full-power port of the processor reaches below 4 GiB.
  if {$first < 0xA0000000 || $first + $range > 0xB0000000} { stub::refuse "address $first" }
  foreach {other place} $stub::addresses {
    lassign $place begin end
    if {$first < $end && $begin < $first + $range} { stub::refuse "[lindex $segment 1] overlaps $other" }
  }
  lappend stub::addresses [lindex $segment 1] [list $first [expr {$first + $range}]]
  stub::fact address [lindex $segment 1] [format 0x%08X $first]
}
proc validate_bd_design {} {
  dict for {name cell} $stub::cells {
    foreach interface [dict keys [stub::interfaces_of $cell]] {
      if {![dict exists $stub::joined $name/$interface]} { stub::refuse "$name/$interface is not connected" }
    }
    dict for {pin direction} [stub::pins_of $cell] {
      if {$direction eq {in} && ![dict exists $stub::driven $name/$pin]} { stub::refuse "$name/$pin is not driven" }
    }
  }
  set stub::valid 1
}
proc save_bd_design {} {
  stub::needs "block design" $stub::design
  set file [file join $stub::folder design.srcs sources_1 bd $stub::design $stub::design.bd]
  stub::write $file {}
  lappend stub::files $file
}
proc generate_target {what design} {
  if {$what ne {all}} { stub::refuse "target $what" }
  stub::expect file [lindex $design 0]
  stub::needs "valid design" $stub::valid
}
proc make_wrapper {args} {
  lassign [stub::parse make_wrapper $args {-files} {-top} 0 0] given
  stub::expect file [lindex [dict get $given -files] 0]
  set wrapper [file join $stub::folder ${stub::design}_wrapper.v]
  stub::write $wrapper "module ${stub::design}_wrapper;\nendmodule\n"
  return $wrapper
}

proc stub::write {file text} {
  file mkdir [file dirname $file]
  set channel [open $file w]
  puts $channel $text
  close $channel
}
proc launch_runs {args} {
  lassign [stub::parse launch_runs $args {-to_step -jobs} {} 1 1] given rest
  if {$rest ne {impl_1}} { stub::refuse "no run $rest" }
  if {[dict get $given -to_step] ne {write_bitstream}} { stub::refuse "no step [dict get $given -to_step]" }
  stub::top_text
  stub::write [file join $stub::folder design.runs impl_1 ${stub::top}.bit] bitstream
  stub::write [file join $stub::folder design.gen sources_1 bd design hw_handoff design.hwh] handoff
}
proc wait_on_run {run} {
  if {$run ne {impl_1}} { stub::refuse "no run $run" }
  set stub::finished 1
}
proc get_runs {run} {
  if {$run ne {impl_1}} { stub::refuse "no run $run" }
  return [stub::object run [expr {$stub::finished ? "100%" : "0%"}]]
}
proc open_run {run} {
  get_runs $run
  stub::needs "finished run" $stub::finished
  set stub::placed 1
}
