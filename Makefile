# The commands that a checkout needs; each sets up what it lacks.

# A failure on the left of a pipe is one.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
BITLATHE := cargo run --quiet -p bitlathe --
PYTHON = $$($(BITLATHE) doctor --json | python3 -c 'import json,sys; print(next(t["path"] for t in json.load(sys.stdin)["tools"] if t["name"] == "python"))')
OUT := build/digits
DIGITS := examples/digits

.PHONY: setup demo test bench board-ulx3s board-icebreaker sweep clean

# Puts the pinned EDA tools into the per-user cache, unless they are there.
setup:
	$(BITLATHE) doctor --install

# The main job on real data: generate, verify, classify, synthesize, datasheet.
demo: setup
	mkdir -p $(OUT)
	$(PYTHON) $(DIGITS)/prepare.py $(OUT)
	$(BITLATHE) verify $(DIGITS)/layer1.toml --jobs 4
	$(BITLATHE) verify $(DIGITS)/layer2.toml --jobs 4
	$(BITLATHE) sim $(DIGITS)/layer1.toml --in x=$(OUT)/x.npy --in w=$(OUT)/w1.npy --in mult=$(OUT)/mult1.npy \
	  --in zp=$(OUT)/zp1.npy --out y=$(OUT)/h.npy --json > $(OUT)/layer1-sim.json
	$(BITLATHE) sim $(DIGITS)/layer2.toml --in x=$(OUT)/h.npy --in w=$(OUT)/w2.npy --out y=$(OUT)/logits.npy \
	  --json > $(OUT)/layer2-sim.json
	$(PYTHON) $(DIGITS)/reference.py $(OUT)
	$(PYTHON) $(DIGITS)/classify.py $(OUT) --picture $(OUT)/digits.svg | tee $(OUT)/accuracy.txt
	for n in 1 2; do \
	  $(BITLATHE) synth $(DIGITS)/layer$$n.toml --json > $(OUT)/layer$$n-synth.json && \
	  $(BITLATHE) gen $(DIGITS)/layer$$n.toml -o $(OUT)/layer$$n --synth $(OUT)/layer$$n-synth.json || exit 1; \
	done
	$(PYTHON) $(DIGITS)/summary.py $(OUT)

# Everything that a change must pass; the last lines say how many tests there were, and which were skipped and why.
test: setup
	cargo test --workspace --no-fail-fast -- --show-output 2>&1 | python3 .ci/summary.py

# The figures of the README and of docs/; those of other sizes name their own command.
bench: setup
	for style in lutram addsub multiply mux; do \
	  $(BITLATHE) synth examples/ternary-kv260.toml --flow xcup --set lookup.style=$$style; done
	for core in kv260 sherry; do \
	  $(BITLATHE) synth examples/ternary-$$core.toml --flow xcup --set lookup.tree=dsp; done
	$(BITLATHE) synth examples/ternary-sherry.toml --flow xcup
	$(BITLATHE) check examples/ternary-kv260.toml
	$(BITLATHE) synth examples/ternary-ecp5.toml --flow ecp5
	for core in stochastic-64 requant-16 absmax-bitnet mx-e2m1 softmax-int8 softmax-base2 linmax-16 attention-16x16 attention-int8; do $(BITLATHE) synth examples/$$core.toml --flow xcup; done
	$(BITLATHE) synth examples/softmax-int8.toml --flow xcup --set method.table=logic
	for kernel in shared-pair shared-3a shift-add booth multiply dsp dsp-packed; do \
	  $(BITLATHE) synth examples/mixpe-16x16.toml --flow xcup --set array.kernel=$$kernel || exit 1; done
	rm -rf build/mixpe-ecp5 && mkdir -p build/mixpe-ecp5
	for kernel in shared-3a multiply planes; do \
	  $(BITLATHE) synth examples/mixpe-ecp5.toml --module mixpe_array --set array.kernel=$$kernel --json \
	    > build/mixpe-ecp5/$$kernel.json || exit 1; done
	$(BITLATHE) gen examples/mixpe-ecp5.toml -o build/mixpe-ecp5/core --synth build/mixpe-ecp5/shared-3a.json \
	  --synth build/mixpe-ecp5/multiply.json --synth build/mixpe-ecp5/planes.json
	$(BITLATHE) synth examples/attention-16x16.toml --flow xcup --set mask.causal=true
	$(BITLATHE) synth examples/attention-8x8-ecp5.toml --flow ecp5
	for kind in softmax quantizer ternary-gemm; do for wrap in none axi kernel; do \
	  $(BITLATHE) synth ip/$$kind/core.toml --flow xcup --set wrap=$$wrap || exit 1; done; done
	cargo test --quiet -p bitlathe-flow --test kernel a_port -- --nocapture
	for shift in '[0,15]' '[0,47]'; do \
	  $(BITLATHE) synth examples/requant-16.toml --flow xcup --set input.bits=32 --set "output.shift=$$shift"; done
	for target in kv260 ecp5-85f ice40-hx8k; do \
	  cargo run --quiet -p bitlathe-flow --example cost_model ternary-gemm $$target 90125 12 || exit 1; done
	cargo run --quiet -p bitlathe-flow --example cost_model quantizer kv260 90125 12
	for target in kv260 ecp5-85f; do \
	  cargo run --quiet -p bitlathe-flow --example cost_model mixpe-gemm $$target 60221 12 || exit 1; done
	cargo run --quiet -p bitlathe-flow --example cost_model flash-attention kv260 40917 4
	cargo run --quiet -p bitlathe-flow --example mixpe_array
	cargo run --quiet -p bitlathe-flow --example mixpe_array ecp5 16 8
	cargo run --quiet -p bitlathe-golden --example quantizer_error docs/quantizers.svg
	cargo run --quiet -p bitlathe-golden --example softmax_accuracy
	cargo run --quiet --release -p bitlathe-golden --example attention_error
	$(MAKE) board-ulx3s board-icebreaker
	$(BITLATHE) compare softmax --n 197 --sigma 1 --scales 0.02..0.2 -o docs/softmax.svg

# A core with its self-test as a bitstream, with frequency and area.
board-ulx3s board-icebreaker: board-%: setup
	$(BITLATHE) board fpga/$*/core.toml --board $* -o build/$* --build

# Simulates N cores drawn from the full cross of all options, where the tests take pairs; `make sweep N=` takes every one.
N := 200
sweep: setup
	cargo run --quiet -p bitlathe-flow --example full_cross -- $(N)

clean:
	rm -rf build
