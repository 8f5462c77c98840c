# Makes the bitstream of a design for a Zynq UltraScale+ processor: the cores of this folder and of those given, an AXI DMA for each stream,
# clock and reset of the processor. From the folder of the package:
#   vivado -mode batch -source design.tcl [-tclargs FOLDER ...]
# Writes design.bit, design.hwh, design.dtso, shell.json and reports to the folder design/ beside this script.
# Not run in Vivado. Run against stand-ins for the commands that it uses.

set here [file dirname [file normalize [info script]]]
set out [file join $here design]
# Each of the processor's four wide slave ports takes a quarter of the DMAs.
set memory_ports 4
# Where registers are in the processor's address space.
set first_address 0xA0000000
set address_step 0x10000

# What Vivado finds nothing of is an error, not a silent gap.
proc found {what objects} {
  if {[llength $objects] == 0} {
    error "Vivado finds no $what"
  }
  return $objects
}

# The facts of a package; its IP is made where it is not there.
proc package_of {folder} {
  set facts [file join $folder design_core.tcl]
  if {![file exists $facts]} {
    error "$folder holds no design_core.tcl: give folders that `bitlathe package --for pynq` wrote"
  }
  if {![file exists [file join $folder ip component.xml]]} {
    source [file join $folder package_ip.tcl]
  }
  source $facts
  return $core
}

proc cell {ip name properties} {
  set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:$ip:* $name]
  if {[llength $properties]} {
    set_property -dict $properties $cell
  }
  return $cell
}

proc pin {path} { return [found "pin $path" [get_bd_pins $path]] }
proc interface {path} { return [found "interface $path" [get_bd_intf_pins $path]] }
proc wire {from to} { connect_bd_net [pin $from] [pin $to] }
proc bus {from to} { connect_bd_intf_net [interface $from] [interface $to] }

# Clock and reset of the processor for pins of a cell.
proc clocked {clocks resets} {
  foreach clock $clocks { wire ps/pl_clk0 $clock }
  foreach reset $resets { wire reset/peripheral_aresetn $reset }
}

# The processor as its boot firmware set it up; of its configuration only what the programmable logic sees counts.
proc processor {mhz ports} {
  set properties [list CONFIG.PSU__FPGA_PL0_ENABLE 1 CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $mhz \
    CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0]
  for {set n 0} {$n < 4} {incr n} {
    set used [expr {$n < $ports}]
    lappend properties CONFIG.PSU__USE__S_AXI_GP[expr {$n + 2}] $used
    if {$used} { lappend properties CONFIG.PSU__SAXIGP[expr {$n + 2}]__DATA_WIDTH 128 }
  }
  cell zynq_ultra_ps_e ps $properties
  cell proc_sys_reset reset {}
  wire ps/pl_clk0 reset/slowest_sync_clk
  wire ps/pl_resetn0 reset/ext_reset_in
  wire ps/pl_clk0 ps/maxihpm0_fpd_aclk
  for {set n 0} {$n < $ports} {incr n} { wire ps/pl_clk0 ps/saxihp${n}_fpd_aclk }
}

# Bytes of the narrowest stream of a DMA that a beat fits in.
proc dma_bytes {bytes} {
  for {set wide 1} {$wide < $bytes} {set wide [expr {2 * $wide}]} {}
  if {$wide > 128} { error "a beat of $bytes bytes; a DMA has streams of at most 128" }
  return $wide
}

# The DMA of a stream, one way, without descriptors; a width converter where its stream is wider than a beat.
proc dma {name port direction bytes} {
  set wide [dma_bytes $bytes]
  # The memory side is at least as wide as the stream.
  set memory [expr {8 * max($wide, 16)}]
  set common {CONFIG.c_include_sg 0 CONFIG.c_sg_length_width 26}
  if {$direction eq "in"} {
    cell axi_dma $name [concat $common [list CONFIG.c_include_mm2s 1 CONFIG.c_include_s2mm 0 \
      CONFIG.c_m_axi_mm2s_data_width $memory CONFIG.c_m_axis_mm2s_tdata_width [expr {8 * $wide}]]]
    clocked [list $name/s_axi_lite_aclk $name/m_axi_mm2s_aclk] [list $name/axi_resetn]
    joined $name/M_AXIS_MM2S $wide $port $bytes ${name}_width
    return M_AXI_MM2S
  }
  cell axi_dma $name [concat $common [list CONFIG.c_include_mm2s 0 CONFIG.c_include_s2mm 1 \
    CONFIG.c_m_axi_s2mm_data_width $memory CONFIG.c_s_axis_s2mm_tdata_width [expr {8 * $wide}]]]
  clocked [list $name/s_axi_lite_aclk $name/m_axi_s2mm_aclk] [list $name/axi_resetn]
  joined $port $bytes $name/S_AXIS_S2MM $wide ${name}_width
  return M_AXI_S2MM
}

# Joins two streams of so many bytes a beat.
proc joined {from from_bytes to to_bytes name} {
  if {$from_bytes == $to_bytes} {
    bus $from $to
    return
  }
  cell axis_dwidth_converter $name [list CONFIG.S_TDATA_NUM_BYTES $from_bytes CONFIG.M_TDATA_NUM_BYTES $to_bytes \
    CONFIG.HAS_TLAST 1 CONFIG.HAS_TKEEP 1]
  clocked [list $name/aclk] [list $name/aresetn]
  bus $from $name/S_AXIS
  bus $name/M_AXIS $to
}

# A core with its DMAs. Returns its register interfaces, and its masters of memory.
proc place {core} {
  set top [dict get $core top]
  set name ${top}_0
  create_bd_cell -type ip -vlnv [dict get $core vlnv] $name
  clocked [list $name/aclk] [list $name/aresetn]
  set registers [list $name/[dict get $core control]]
  set masters {}
  foreach stream [dict get $core streams] {
    lassign $stream own interface direction bytes
    set dma ${top}_${own}
    lappend masters $dma/[dma $dma $name/$interface $direction $bytes]
    lappend registers $dma/S_AXI_LITE
  }
  return [list $registers $masters]
}

# One SmartConnect between masters and slaves.
proc connected {name masters slaves} {
  if {max([llength $masters], [llength $slaves]) > 16} {
    error "$name: a SmartConnect has 16 ports a side; put fewer cores into a design"
  }
  cell smartconnect $name [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI [llength $slaves]]
  clocked [list $name/aclk] [list $name/aresetn]
  set n 0
  foreach master $masters {
    bus $master $name/[format S%02d_AXI $n]
    incr n
  }
  set n 0
  foreach slave $slaves {
    bus $name/[format M%02d_AXI $n] $slave
    incr n
  }
}

# Every `count`th of a list, beginning with element `first`.
proc share {list first count} {
  set share {}
  for {set n $first} {$n < [llength $list]} {incr n $count} { lappend share [lindex $list $n] }
  return $share
}

# Registers at fixed addresses, memory wherever the DMAs see it. Returns address, cell.
proc addressed {registers} {
  set address $::first_address
  set placed {}
  foreach interface $registers {
    set segment [found "registers of $interface" [get_bd_addr_segs -of_objects [interface $interface]]]
    assign_bd_address -offset [format 0x%08X $address] -range 0x1000 \
      -target_address_space [found "address space" [get_bd_addr_spaces ps/Data]] $segment
    lappend placed [format 0x%08X $address] [lindex [split $interface /] 0]
    incr address $::address_step
  }
  # What is left: the memory that the DMAs see.
  assign_bd_address
  return $placed
}

# A device tree overlay: bitstream, clock, registers for user space.
proc overlay {placed mhz} {
  set text "/dts-v1/;\n/plugin/;\n\n&fpga_full {\n\tfirmware-name = \"design.bit.bin\";\n};\n\n&amba {\n"
  append text "\tclocking0: clocking0 {\n\t\tcompatible = \"xlnx,fclk\";\n\t\t#clock-cells = <0>;\n\t\tclocks = <&zynqmp_clk 71>;\n"
  append text "\t\tassigned-clocks = <&zynqmp_clk 71>;\n\t\tassigned-clock-rates = <[expr {round($mhz * 1000000)}]>;\n"
  append text "\t\tclock-output-names = \"fabric_clk\";\n\t};\n"
  foreach {address name} $placed {
    set place [string tolower [string range $address 2 end]]
    append text "\t$name: [string map {_ -} $name]@$place {\n\t\tcompatible = \"generic-uio\";\n\t\treg = <0x0 0x$place 0x0 0x1000>;\n\t};\n"
  }
  return "$text};\n"
}

proc write_text {file text} {
  set channel [open $file w]
  puts -nonewline $channel $text
  close $channel
}

set cores [lmap folder [concat [list $here] $argv] { package_of [file normalize $folder] }]
set repositories [lmap folder [concat [list $here] $argv] { file join [file normalize $folder] ip }]
set part [dict get [lindex $cores 0] part]
set mhz [dict get [lindex $cores 0] mhz]
foreach core $cores {
  if {[dict get $core part] ne $part} { error "cores for $part and for [dict get $core part] make no design" }
}

file mkdir $out
create_project -force design [file join $out vivado] -part $part
set_property ip_repo_paths $repositories [current_project]
update_ip_catalog
create_bd_design design

set registers {}
set masters {}
set streams [llength [concat {*}[lmap core $cores { dict get $core streams }]]]
set ports [expr {min($streams, $memory_ports)}]
processor $mhz $ports
foreach core $cores {
  lassign [place $core] own_registers own_masters
  lappend registers {*}$own_registers
  lappend masters {*}$own_masters
}
connected registers ps/M_AXI_HPM0_FPD $registers
for {set n 0} {$n < $ports} {incr n} {
  connected memory$n [share $masters $n $ports] ps/S_AXI_HP${n}_FPD
}
set placed [addressed $registers]
validate_bd_design
save_bd_design

set design [found "file design.bd" [get_files design.bd]]
generate_target all $design
set wrapper [make_wrapper -files $design -top]
add_files -norecurse $wrapper
set_property top design_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
  error "place and route failed: [get_property STATUS [get_runs impl_1]]"
}
open_run impl_1
report_utilization -hierarchical -file [file join $out utilization.txt]
report_timing_summary -file [file join $out timing.txt]
set slack [get_property SLACK [get_timing_paths -setup -max_paths 1]]

file copy -force [file join $out vivado design.runs impl_1 design_wrapper.bit] [file join $out design.bit]
file copy -force [file join $out vivado design.gen sources_1 bd design hw_handoff design.hwh] [file join $out design.hwh]
write_text [file join $out design.dtso] [overlay $placed $mhz]
write_text [file join $out shell.json] "{\"shell_type\": \"XRT_FLAT\", \"num_slots\": \"1\"}\n"
write_text [file join $out design.bif] "all:\n{\n  [file join $out design.bit]\n}\n"
if {$slack < 0} {
  error "the design misses $mhz MHz by [expr {-$slack}] ns; its bitstream is in $out"
}
puts "slack at $mhz MHz: $slack ns; bitstream and reports in $out"
