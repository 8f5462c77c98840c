# The commands that a checkout needs; each sets up what it lacks.

BITLATHE := cargo run --quiet -p bitlathe --
PYTHON = $$($(BITLATHE) doctor --json | python3 -c 'import json,sys; print(next(t["path"] for t in json.load(sys.stdin)["tools"] if t["name"] == "python"))')
OUT := build/digits
DIGITS := examples/digits

.PHONY: setup demo test bench clean

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

# Everything that a change must pass.
test: setup
	cargo test --workspace --no-fail-fast

# Every figure of the README and of docs/.
bench: setup
	for style in lutram addsub multiply; do \
	  $(BITLATHE) synth examples/ternary-kv260.toml --flow xcup --set lookup.style=$$style; done
	$(BITLATHE) synth examples/ternary-sherry.toml --flow xcup
	$(BITLATHE) synth examples/ternary-ecp5.toml --flow ecp5
	cargo run --quiet -p bitlathe-flow --example cost_model
	cargo run --quiet -p bitlathe-golden --example softmax_accuracy

clean:
	rm -rf build
