{%- for line in banner %}
// {{ line }}
{%- endfor %}
//
// Registers of `{{ top }}`: byte offsets, and of each field shift and mask. A constant has its value, a number that software
// writes its bounds.

#ifndef {{ prefix }}_H
#define {{ prefix }}_H
{% for r in registers %}
// {{ r.doc }}
#define {{ prefix }}_{{ r.upper }}_OFFSET {{ r.offset }}u
{%- for f in r.fields %}
// {{ f.doc }}
#define {{ prefix }}_{{ f.upper }}_SHIFT {{ f.lsb }}
#define {{ prefix }}_{{ f.upper }}_MASK {{ f.mask }}u
{%- match f.sort -%}
{%- when Sort::Constant %}
#define {{ prefix }}_{{ f.upper }}_VALUE {{ f.reset }}u
{%- when Sort::Written %}
#define {{ prefix }}_{{ f.upper }}_MIN {{ f.min }}u
#define {{ prefix }}_{{ f.upper }}_MAX {{ f.max }}u
{%- when _ -%}
{%- endmatch -%}
{%- endfor %}
{% endfor %}
#endif
