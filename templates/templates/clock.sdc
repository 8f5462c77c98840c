{%- for line in banner %}
# {{ line }}
{%- endfor %}
#
# {{ about }}
create_clock -name {{ port }} -period {{ period }} [get_ports {{ port }}]
