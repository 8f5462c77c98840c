"""PYNQ driver of `{{ top }}`: {{ title }}

{%- for line in banner %}
{{ line }}
{%- endfor %}

    from pynq import Overlay
    from {{ top }} import {{ class }}  # before the bitstream is loaded, so that PYNQ knows the driver

    core = {{ class }}.of(Overlay("design.bit"))
    outputs = core.run({{ run|join(", ") }})

Tensors:
{%- for t in tensors %}
    {{ t.name }} ({{ t.role }}): {{ t.dtype }} {{ t.shape }}, {{ t.range }}. {{ t.doc }}
{%- endfor %}
"""

from .core import Core


class {{ class }}(Core):
    """`{{ top }}`."""

    bindto = ["{{ vlnv }}"]
