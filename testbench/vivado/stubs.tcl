# Stand-ins for the Vivado commands that a package's scripts use: each checks the shape of its arguments, every other command is
# refused. Facts that Vivado would find, it finds in the files: ports and interfaces in the Verilog of the top, clocks in the XDC.
# Called by generator/flow/tests/packages.rs:  tclsh stubs.tcl SCRIPT
# Prints what the script did, one fact a line. The shapes are those of UG835, UG1118 and UG1393.

namespace eval stub {
  variable part {} files {} constraints {} top {} project 0 core 0 saved 0 placed 0 root {}
  # Names of objects by class, and the properties that were set: {object property} -> value.
  variable objects {} properties {} offsets {}
  # The name of an IP, and what timing finds.
  variable vlnv {} slack 1.234
  # Properties that each class of object has.
  variable known {
    core {name version display_name description vendor_display_name supported_families auto_family_support_level sdx_kernel sdx_kernel_type ipi_drc vitis_drc}
    regparam {value}
    file {USED_IN}
    fileset {top}
    busif {slave_memory_map_ref}
    block {range width usage}
    register {address_offset size description}
    field {bit_offset bit_width access modified_write_value description}
    map {NAME}
    parameter {NAME}
    path {SLACK}
    project {ip_repo_paths}
    run {PROGRESS STATUS}
  }
}

proc stub::fact {args} { puts $args }
proc stub::refuse {why} { error "stub: $why" }

# Splits arguments into the values of switches, the flags that are set, and what is left. `switches` take a value.
proc stub::parse {command arguments switches flags fewest most} {
  set given [dict create]
  set rest {}
  while {[llength $arguments]} {
    set arguments [lassign $arguments word]
    if {$word in $switches} {
      if {![llength $arguments]} { refuse "$command $word has no value" }
      set arguments [lassign $arguments value]
      dict set given $word $value
    } elseif {$word in $flags} {
      dict set given $word 1
    } elseif {[string match {-[a-z]*} $word]} {
      refuse "$command does not know $word"
    } else {
      lappend rest $word
    }
  }
  if {[llength $rest] < $fewest || [llength $rest] > $most} { refuse "$command takes $fewest to $most arguments, not {$rest}" }
  return [list $given $rest]
}

proc stub::read_text {file} {
  if {![file isfile $file]} { refuse "there is no file $file" }
  set channel [open $file]
  set text [read $channel]
  close $channel
  return $text
}

proc stub::needs {what value} { if {$value eq {} || $value eq 0} { refuse "no $what" } }
proc stub::object {class args} { return [list stub:$class {*}$args] }
proc stub::class {object} {
  if {[lindex $object 0] eq {} || ![string match stub:* [lindex $object 0]]} { refuse "`$object` is no object" }
  return [string range [lindex $object 0] 5 end]
}
proc stub::expect {class object} {
  if {[class $object] ne $class} { refuse "`$object` is no $class" }
}

# The text of the module that is the top.
proc stub::top_text {} {
  variable top
  variable files
  foreach file $files {
    set text [read_text $file]
    if {[regexp "(?n)^module $top\\M" $text]} { return $text }
  }
  refuse "no file has the module `$top`"
}

# Interfaces as the attributes of the ports say, by name: vendor-library-name-version of each and its signals.
proc stub::interfaces {} {
  set found [dict create]
  foreach {- info} [regexp -all -inline {X_INTERFACE_INFO = "([^"]*)"} [top_text]] {
    lassign $info vlnv name signal
    dict set found $name vlnv $vlnv
    dict set found $name signals $signal 1
  }
  return $found
}

# --- Project ---
proc create_project {args} {
  lassign [stub::parse create_project $args {-part} {-force -in_memory} 0 2] given rest
  stub::needs part [dict getdef $given -part {}]
  lassign [list {*}$rest {} {}] - stub::folder
  # A project begins with no files.
  lassign {} stub::files stub::constraints stub::top stub::objects
  set stub::part [dict get $given -part]
  set stub::project 1
  stub::fact part $stub::part
}
proc close_project {} {
  stub::needs project $stub::project
  set stub::project 0
}
proc add_files {args} {
  stub::needs project $stub::project
  lassign [stub::parse add_files $args {-fileset} {-norecurse} 1 1] given rest
  foreach file [lindex $rest 0] {
    stub::read_text $file
    switch [dict getdef $given -fileset sources_1] {
      sources_1 { lappend stub::files $file; stub::fact verilog $file }
      constrs_1 { lappend stub::constraints $file; stub::fact constraints $file }
      default { stub::refuse "no fileset [dict get $given -fileset]" }
    }
  }
}
proc get_files {pattern} {
  # A name without a path is that of a file wherever it is.
  set found [lmap file [concat $stub::files $stub::constraints] {
    if {$file ne $pattern && [file tail $file] ne $pattern} continue
    set file
  }]
  return [lmap file $found {stub::object file $file}]
}
proc current_fileset {} { return [stub::object fileset sources_1] }
proc update_compile_order {args} { stub::parse update_compile_order $args {-fileset} {} 0 0 }
proc set_property {args} {
  lassign $args name value object
  if {[llength $args] != 3} { stub::refuse "set_property takes a property, a value, an object, not {$args}" }
  # A list of one object is the object.
  if {[llength $object] == 1} { set object [lindex $object 0] }
  set changes [expr {$name eq {-dict} ? $value : [list $name $value]}]
  foreach {name value} $changes { stub::set_one $name $value $object }
}
proc stub::set_one {name value object} {
  if {[stub::class $object] eq {cell}} { return [stub::configure [lindex $object 1] $name $value] }
  set class [stub::class $object]
  set name [lsearch -inline -nocase [dict get $stub::known $class] $name]
  if {$name eq {}} { stub::refuse "a $class has no property of that name" }
  if {$name eq {top}} { set stub::top $value }
  if {$name eq {ip_repo_paths}} { set stub::repositories $value }
  if {$name eq {slave_memory_map_ref} && [stub::object map $value] ni $stub::objects} { stub::refuse "no map `$value`" }
  if {$name eq {access} && $value ni {read-only read-write}} { stub::refuse "access $value" }
  if {$name eq {modified_write_value} && $value ni {modify oneToClear oneToSet}} { stub::refuse "write $value" }
  if {$name in {name version} && $class eq {core}} { append stub::vlnv :$value }
  if {$class eq {core}} { dict set stub::properties $name $value }
  if {$class eq {regparam} && ![dict exists [stub::interfaces] $value]} { stub::refuse "there is no interface `$value`" }
  if {$name in {range width address_offset size bit_offset bit_width} && ![string is entier -strict $value]} {
    stub::refuse "$name $value is no number"
  }
  if {$name eq {address_offset}} { dict set stub::offsets [lindex $object 1] [expr {$value}] }
  stub::fact property $object $name $value
}
proc get_property {name object} {
  set class [stub::class $object]
  if {[lsearch -nocase [dict get $stub::known $class] $name] < 0} { stub::refuse "a $class has no property $name" }
  return [expr {$class eq {path} ? $stub::slack : [lindex $object 1]}]
}

# --- Packager ---
namespace eval ipx {}
proc ipx::package_project {args} {
  set switches {-root_dir -vendor -library -taxonomy -set_current}
  lassign [stub::parse ipx::package_project $args $switches {-import_files -force} 0 0] given
  foreach switch $switches { stub::needs $switch [dict getdef $given $switch {}] }
  stub::needs project $stub::project
  stub::needs top $stub::top
  set stub::core 1
  set stub::root [dict get $given -root_dir]
  set stub::vlnv [dict get $given -vendor]:[dict get $given -library]
  # Vivado makes a map of each slave with registers, and a block in it.
  dict for {name interface} [stub::interfaces] {
    if {[string match *:aximm:* [dict get $interface vlnv]] && [string match s_* $name]} { lappend stub::objects [stub::object map $name] [stub::object block reg0] }
  }
}
proc ipx::current_core {} {
  stub::needs "current core" $stub::core
  return [stub::object core]
}
proc ipx::get_user_parameters {-of_objects core} {
  stub::expect core $core
  set found [regexp -all -inline {\mparameter (\w+)} [stub::top_text]]
  return [lmap {- name} $found {stub::object parameter $name}]
}
proc ipx::remove_user_parameter {name core} {
  stub::expect core $core
  stub::fact removed $name
}
proc ipx::get_bus_interfaces {name -of_objects core} {
  stub::expect core $core
  return [expr {[dict exists [stub::interfaces] $name] ? [list [stub::object busif $name]] : {}}]
}
proc ipx::associate_bus_interfaces {args} {
  lassign [stub::parse ipx::associate_bus_interfaces $args {-busif -clock -reset} {} 1 1] given rest
  stub::expect core [lindex $rest 0]
  dict for {switch name} $given {
    if {![dict exists [stub::interfaces] $name]} { stub::refuse "there is no interface `$name`" }
  }
  stub::fact associated {*}$given
}
proc stub::add {class arguments parent} {
  lassign [parse ipx::add $arguments {} {-quiet} 2 2] - rest
  lassign $rest name owner
  expect $parent $owner
  set object [object $class $name]
  if {$class eq {field}} { lappend object [lindex $owner 1] }
  if {$object in $stub::objects} { refuse "a second $class `$name`" }
  lappend stub::objects $object
  return $object
}
proc ipx::get_memory_maps {pattern -of_objects core} {
  stub::expect core $core
  return [lsearch -all -inline -glob $stub::objects "stub:map $pattern"]
}
proc ipx::remove_memory_map {name core} {
  stub::expect core $core
  set map [stub::object map $name]
  if {$map ni $stub::objects} { stub::refuse "no map `$name`" }
  set stub::objects [lsearch -all -inline -exact -not $stub::objects $map]
  # Its blocks go with it.
  set stub::objects [lsearch -all -inline -glob -not $stub::objects stub:block*]
}
proc ipx::add_memory_map {args} { return [stub::add map $args core] }
proc ipx::add_address_block {args} { return [stub::add block $args map] }
proc ipx::add_register {args} { return [stub::add register $args block] }
proc ipx::add_field {args} { return [stub::add field $args register] }
proc ipx::add_register_parameter {name register} {
  stub::expect register $register
  if {$name ne {ASSOCIATED_BUSIF}} { stub::refuse "no parameter $name of registers" }
  return [stub::object regparam [lindex $register 1]]
}
proc ipx::create_xgui_files {core} { stub::expect core $core }
proc ipx::update_checksums {core} { stub::expect core $core }
# What the channels of a memory-mapped interface consist of: a slave of registers has all five, a master reads, or writes, or both.
proc stub::channels {name signals} {
  set slave [string match s_* $name]
  set reads [expr {$slave || [dict exists $signals ARADDR]}]
  set writes [expr {$slave || [dict exists $signals AWADDR]}]
  if {!$reads && !$writes} { stub::refuse "interface $name has no address" }
  set needed {}
  if {$reads} { lappend needed ARADDR ARPROT ARVALID ARREADY RDATA RRESP RVALID RREADY }
  if {$writes} { lappend needed AWADDR AWPROT AWVALID AWREADY WDATA WSTRB WVALID WREADY BRESP BVALID BREADY }
  if {!$slave && $reads} { lappend needed ARLEN ARSIZE ARBURST RLAST }
  if {!$slave && $writes} { lappend needed AWLEN AWSIZE AWBURST WLAST }
  return $needed
}
proc ipx::check_integrity {core} {
  stub::expect core $core
  # Interfaces whose signals block designs need.
  dict for {name interface} [stub::interfaces] {
    switch -glob [dict get $interface vlnv] {
      *:axis:* { set needed {TDATA TLAST TVALID TREADY TKEEP} }
      *:aximm:* { set needed [stub::channels $name [dict get $interface signals]] }
      default { continue }
    }
    foreach signal $needed {
      if {![dict exists $interface signals $signal]} { stub::refuse "interface $name lacks $signal" }
    }
    stub::fact interface $name
  }
}
proc ipx::save_core {core} {
  stub::expect core $core
  set stub::saved 1
  # For block designs: mode, kind and bytes of each interface, as direction and width of its first port say.
  set interfaces {}
  set port {X_INTERFACE_INFO = "xilinx.com:interface:(\w+):1.0 (\w+) (?:TDATA|AWADDR)" \*\)\s*(input|output) +wire (?:\[(\d+):0\])?}
  foreach {- kind name direction high} [regexp -all -inline $port [stub::top_text]] {
    set mode [expr {$direction eq {input} ? {slave} : {master}}]
    dict set interfaces $name [list $mode $kind [expr {$kind eq {axis} ? ($high + 1) / 8 : 0}]]
  }
  file mkdir $stub::root
  stub::write [file join $stub::root component.xml] [list vlnv $stub::vlnv interfaces $interfaces]
}

# --- Kernels of XRT ---
proc package_xo {args} {
  set switches {-xo_path -kernel_name -ip_directory -ctrl_protocol}
  lassign [stub::parse package_xo $args $switches {-force} 0 0] given
  foreach switch $switches { stub::needs $switch [dict getdef $given $switch {}] }
  stub::needs "saved core" $stub::saved
  if {$stub::project} { stub::refuse "the project is open" }
  if {[dict get $given -ip_directory] ne $stub::root} { stub::refuse "there is no IP in [dict get $given -ip_directory]" }
  if {[dict get $given -kernel_name] ne $stub::top} { stub::refuse "the top is $stub::top" }
  if {![string match *.xo [dict get $given -xo_path]]} { stub::refuse "a kernel is a file .xo" }
  set protocol [dict get $given -ctrl_protocol]
  if {$protocol ni {ap_ctrl_hs ap_ctrl_chain ap_ctrl_none user_managed}} { stub::refuse "no protocol $protocol" }
  foreach {name value} [list sdx_kernel true sdx_kernel_type rtl vitis_drc "ctrl_protocol $protocol"] {
    if {[dict getdef $stub::properties $name {}] ne $value} { stub::refuse "$name is not $value" }
  }
  # The names by which XRT tells control from arguments.
  foreach {name offset} {CTRL 0 GIER 4 IP_IER 8 IP_ISR 12} {
    if {[dict getdef $stub::offsets $name {}] ne $offset} { stub::refuse "no register $name at $offset" }
  }
  stub::fact kernel [dict get $given -kernel_name] $protocol
}

# --- Place and route alone ---
proc read_verilog {list} {
  stub::needs project $stub::project
  foreach file $list {
    stub::read_text $file
    lappend stub::files $file
    stub::fact verilog $file
  }
}
proc read_xdc {args} {
  lassign [stub::parse read_xdc $args {-mode} {} 1 1] - rest
  stub::read_text [lindex $rest 0]
  lappend stub::constraints [lindex $rest 0]
}
proc synth_design {args} {
  lassign [stub::parse synth_design $args {-top -part -mode} {} 0 0] given
  if {[dict get $given -part] ne $stub::part} { stub::refuse "another part" }
  set stub::top [dict get $given -top]
  stub::top_text
}
proc get_clocks {name} {
  foreach file $stub::constraints {
    foreach {- clock port} [regexp -all -inline {create_clock -name (\w+) -period [\d.]+ \[get_ports (\w+)\]} [stub::read_text $file]] {
      if {$clock eq $name && [regexp "input +wire $port\\M" [stub::top_text]]} { return [list [stub::object clock $name]] }
    }
  }
  return {}
}
foreach step {opt_design place_design phys_opt_design} { proc $step {} { stub::needs top $stub::top } }
proc route_design {} { set stub::placed 1 }
proc report_utilization {args} {
  stub::needs "routed design" $stub::placed
  stub::parse report_utilization $args {-file} {-hierarchical} 0 0
}
proc report_timing_summary {args} {
  stub::needs "routed design" $stub::placed
  stub::parse report_timing_summary $args {-file} {} 0 0
}
proc get_timing_paths {args} {
  stub::parse get_timing_paths $args {-max_paths} {-setup} 0 0
  return [stub::object path]
}

source [file join [file dirname [info script]] block_design.tcl]

# `dict getdef` came with Tcl 8.7.
if {[catch {dict getdef {} a b}]} {
  proc stub::getdef {dictionary key default} {
    return [expr {[dict exists $dictionary $key] ? [dict get $dictionary $key] : $default}]
  }
  namespace ensemble configure dict -map [dict merge [namespace ensemble configure dict -map] {getdef ::stub::getdef}]
}
proc unknown {args} { stub::refuse "Vivado has no command [lindex $args 0]" }

set argv [lassign $argv script]
# A failed script must fail the run.
if {[catch {source $script} why]} {
  puts stderr $why
  exit 1
}
exit 0
