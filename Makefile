# The commands that a checkout needs; each sets up what it lacks.

.PHONY: setup

# Puts the pinned EDA tools into the per-user cache, unless they are there.
setup:
	cargo run --quiet -p bitlathe -- doctor --install
