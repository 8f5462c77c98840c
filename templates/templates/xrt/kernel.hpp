{%- for line in banner %}
// {{ line }}
{%- endfor %}
//
// The kernel `{{ top }}` as its host sees it: sizes, arguments and streams of a job.

#pragma once

#include <algorithm>

#include "../registers/{{ top }}.h"
#include "tensor.hpp"

namespace {{ top }} {

using bitlathe::Lanes;
using bitlathe::Sizes;
using bitlathe::Tensor;
using bitlathe::Tensors;
using bitlathe::ceil_div;
using bitlathe::seen;

struct TensorSpec {
  const char* name;
  const char* type;
  bool input;
  // Whether a job may leave it out, and the value that it then has.
  bool optional;
  int64_t value;
  int64_t low, high;
};

inline const std::vector<TensorSpec> TENSORS = {
{%- for t in tensors %}
  {"{{ t.name }}", "{{ t.npy }}", {{ t.input }}, {{ t.optional }}, {{ t.value }}, {{ t.low }}, {{ t.high }}},
{%- endfor %}
};

// The sizes that the shapes of the tensors fix, and those that are a tensor's value.
inline Sizes sizes(const Tensors& tensors) {
  Sizes s;
  const auto fix = [&](const char* name, const char* tensor, size_t axis) {
    const auto found = tensors.find(tensor);
    if (found != tensors.end()) s.emplace(name, found->second.shape.at(axis));
  };
{%- for f in fixes %}
  fix("{{ f.0 }}", "{{ f.1 }}", {{ f.2 }});
{%- endfor %}
{%- for v in values %}
  s["{{ v.0 }}"] = tensors.count("{{ v.1 }}") ? tensors.at("{{ v.1 }}").data.at(0) : {{ v.2 }};
{%- endfor %}
{%- if fixes.is_empty() %}
  (void)fix;
{%- endif %}
  return s;
}

inline std::vector<uint64_t> shape(const std::string& tensor, const Sizes& s) {
  (void)s;
{%- for t in tensors %}
  if (tensor == "{{ t.name }}") return {{ '{' }}{{ t.shape|join(", ") }}{{ '}' }};
{%- endfor %}
  throw std::out_of_range(tensor);
}
{% for s in streams %}
// Stream {{ s.name }}: {{ s.doc }}
namespace stream_{{ s.name }} {
{%- if !s.code.is_empty() %}
inline const std::vector<uint64_t> CODE = {{ '{' }}{{ s.code|join(", ") }}{{ '}' }};
{%- endif %}
inline const Lanes LANES = {{ '{' }}{{ s.beat_bytes }}, {{ s.lane_bits }}, {{ s.group }}, {{ s.is_signed }}, {{ s.low }}, {{ s.high }}, {% if s.code.is_empty() %}nullptr{% else %}&CODE{% endif %}{{ '}' }};

// Beats in memory.
inline uint64_t beats(const Sizes& s) {
  (void)s;
  uint64_t beat = 0;
{%- for l in s.loops %}
{{ l }}
{%- endfor %}
  ++beat;
  return beat;
}

template <class Visit>
void walk(const Sizes& s, const std::vector<uint64_t>& own_shape, Visit visit) {
  (void)s;
  (void)own_shape;
  const std::vector<uint64_t> in = {{ s.walked }};
  uint64_t beat = 0;
{%- for l in s.loops %}
{{ l }}
{%- endfor %}
  {
    uint64_t lane = 0;
{%- for l in s.lanes %}
{{ l }}
{%- endfor %}
    {
      for (unsigned i = 0; i < {{ s.group }}; ++i) {
        const bool inside = {{ s.inside|join(" && ") }};
        visit(beat, lane, i, inside ? {{ s.index }} : bitlathe::PAD);
      }
      ++lane;
    }
    ++beat;
  }
}
}  // namespace stream_{{ s.name }}
{% endfor %}
// Arguments behind the pointers, in their order.
inline std::vector<uint32_t> scalars(const Sizes& s, const Tensors& tensors) {
  (void)s;
  (void)tensors;
  return {
{%- for a in scalars %}
    static_cast<uint32_t>({{ a.1 }}),  // {{ a.0 }}
{%- endfor %}
  };
}

struct Sticky {
  uint32_t offset, mask;
  const char* says;
};

inline const std::vector<Sticky> STICKY = {
{%- for e in sticky %}
  {{ '{' }}{{ e.0 }}, {{ e.1 }}, "{{ e.2 }}"{{ '}' }},
{%- endfor %}
};

}  // namespace {{ top }}
