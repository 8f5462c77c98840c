{%- for line in banner %}
// {{ line }}
{%- endfor %}
//
// Runs a job of `{{ top }}` with XRT: {{ title }}
//   g++ -std=c++17 -O2 -I$XILINX_XRT/include host.cpp -o host -L$XILINX_XRT/lib -lxrt_coreutil -pthread
//   ./host {{ top }}.xclbin JOB
// JOB is a folder with a .npy file of integers for each input ({{ inputs|join(", ") }}); the outputs ({{ outputs|join(", ") }}) are put
// beside them. Not run on a card; run on a stand-in for XRT.

#include <chrono>
#include <cstdio>
#include <exception>

#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

#include "{{ top }}.hpp"

namespace job = {{ top }};

namespace {

// The inputs of a job; those that may be left out with their value.
bitlathe::Tensors read_inputs(const std::string& folder) {
  bitlathe::Tensors tensors;
  for (const auto& spec : job::TENSORS) {
    const std::string path = folder + "/" + spec.name + ".npy";
    if (spec.input && (!spec.optional || bitlathe::exists(path))) tensors[spec.name] = bitlathe::read_npy(path);
  }
  const bitlathe::Sizes sizes = job::sizes(tensors);
  for (const auto& spec : job::TENSORS) {
    if (!spec.input) continue;
    const auto shape = job::shape(spec.name, sizes);
    auto& tensor = tensors[spec.name];
    if (tensor.data.empty() && spec.optional) tensor = {shape, std::vector<int64_t>(bitlathe::elements(shape), spec.value)};
    if (tensor.shape != shape) throw std::runtime_error(std::string(spec.name) + " has another shape than the other tensors ask for");
    for (int64_t value : tensor.data)
      if (value < spec.low || value > spec.high) throw std::runtime_error(std::string(spec.name) + " leaves its range");
  }
  return tensors;
}

// Clears sticky errors, and says them.
void check(xrt::kernel& kernel) {
  std::string errors;
  for (const auto& sticky : job::STICKY) {
    if (!(kernel.read_register(sticky.offset) & sticky.mask)) continue;
    kernel.write_register(sticky.offset, sticky.mask);
    errors += std::string(errors.empty() ? "" : "; ") + sticky.says;
  }
  if (!errors.empty()) throw std::runtime_error("the kernel reports: " + errors);
}

void run(const std::string& xclbin, const std::string& folder) {
  const bitlathe::Tensors tensors = read_inputs(folder);
  const bitlathe::Sizes sizes = job::sizes(tensors);

  xrt::device device(0);
  const auto uuid = device.load_xclbin(xclbin);
  // Status is read beside the arguments, which needs the kernel alone.
  xrt::kernel kernel(device, uuid, "{{ top }}", xrt::kernel::cu_access_mode::exclusive);
  if (kernel.read_register({{ prefix }}_CONFIG_HASH_OFFSET) != {{ prefix }}_CONFIG_HASH_VALUE)
    throw std::runtime_error("the kernel on the card was made from another config");

  xrt::run run(kernel);
  std::vector<xrt::bo> buffers;
{%- for s in streams %}
  buffers.emplace_back(device, job::stream_{{ s.name }}::beats(sizes) * job::stream_{{ s.name }}::LANES.beat_bytes, kernel.group_id({{ loop.index0 }}));
{%- if s.input %}
  {
    const auto walk = [&](auto visit) { job::stream_{{ s.name }}::walk(sizes, tensors.at("{{ s.name }}").shape, visit); };
    const auto beats = bitlathe::pack(job::stream_{{ s.name }}::LANES, job::stream_{{ s.name }}::beats(sizes), tensors.at("{{ s.name }}"), walk);
    buffers.back().write(beats.data());
    buffers.back().sync(XCL_BO_SYNC_BO_TO_DEVICE);
  }
{%- endif %}
  run.set_arg({{ loop.index0 }}, buffers.back());
{%- endfor %}
  int argument = {{ streams.len() }};
  for (uint32_t word : job::scalars(sizes, tensors)) run.set_arg(argument++, word);

  run.start();
  if (run.wait(std::chrono::milliseconds(10000)) != ERT_CMD_STATE_COMPLETED) throw std::runtime_error("the job does not end");
  check(kernel);
  std::printf("%u cycles\n", kernel.read_register({{ prefix }}_CYCLES_OFFSET));
{%- for s in streams %}
{%- if !s.input %}
  {
    auto& buffer = buffers.at({{ loop.index0 }});
    std::vector<uint8_t> beats(buffer.size());
    buffer.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
    buffer.read(beats.data());
    const auto shape = job::shape("{{ s.name }}", sizes);
    const auto walk = [&](auto visit) { job::stream_{{ s.name }}::walk(sizes, shape, visit); };
    bitlathe::write_npy(folder + "/{{ s.name }}.npy", "{{ s.npy }}", bitlathe::unpack(job::stream_{{ s.name }}::LANES, shape, beats, walk));
  }
{%- endif %}
{%- endfor %}
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s {{ top }}.xclbin JOB\n", arguments[0]);
    return 2;
  }
  try {
    run(arguments[1], arguments[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
