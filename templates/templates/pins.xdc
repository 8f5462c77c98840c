{%- for line in head %}
# {{ line }}
{%- endfor %}
{% for p in pins %}
set_property -dict {PACKAGE_PIN {{ p.pin }} IOSTANDARD {{ p.standard }}{{ p.pull }}} [get_ports {{ p.port }}]
{%- endfor %}
{%- for c in clock %}
create_clock -name {{ c.name }} -period {{ c.period }} [get_ports {{ c.port }}]
{%- endfor %}
