{%- for line in banner %}
# {{ line }}
{%- endfor %}
#
# What design.tcl must know of `{{ top }}`: its IP, the device, the clock, and for each stream the interface, the direction, bytes of a beat.

set core {
  top {{ top }}
  vlnv {{ vlnv }}
  control {{ control }}
  part {{ part }}
  mhz {{ mhz }}
  streams {
{%- for s in streams %}
    { {{ s.name }} {{ s.interface }} {{ s.direction }} {{ s.bytes }} }
{%- endfor %}
  }
}
