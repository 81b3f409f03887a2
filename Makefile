# The commands of the README. Most of them first check that libtorch is there, which takes a fraction of a second.
PYTHON ?= python3

# Said before a build that starts from nothing; $(1): cargo's directory of the profile.
cold = @ls "$${CARGO_TARGET_DIR:-target}/$(1)/deps/"libtch-*.rlib >/dev/null 2>&1 || \
    echo "compiling some 170 crates and the bindings of libtorch: about $(2) minutes on two cores, the first time only"

.PHONY: help run test check setup ci bench peers
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

run: setup ## train DQN on CartPole, with two worker processes
	$(call cold,release,2)
	cargo run --release -p experiments -- train cartpole-dqn --sampler cpu --workers 2

test: setup ## every test, doc tests included
	$(call cold,debug,5)
	cargo test --workspace

check: setup ## formatting, lints and documentation, as CI checks them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

setup: ## fetch libtorch if it is missing; CUDA=1 for the CUDA build, CUDA=0 for the CPU build again
	@$(PYTHON) scripts/libtorch.py $(if $(CUDA),$(if $(filter 0,$(CUDA)),--cpu,--cuda))

ci: ## what every change must pass: tests, `make check`, model checks
	.ci/run

bench: setup ## samples per second of each sampler, the quick version
	$(call cold,release,2)
	cargo run --release -p experiments -- bench samplers --quick

# No venv, because some distributions ship Python without it. TMPDIR is on the same disk, because pip moves what it built there.
peers: ## install what `experiments bench peers` measures against into target/peers (5.5 GB)
	rm -rf target/peers && mkdir -p target/peers/tmp
	TMPDIR="$(CURDIR)/target/peers/tmp" $(PYTHON) -m pip install --quiet --no-cache-dir --disable-pip-version-check \
	    --target target/peers/site -r scripts/peers/requirements.txt
	rm -rf target/peers/tmp
	printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" "$$@"\n' "$(CURDIR)/target/peers/site" \
	    "$$($(PYTHON) -c 'import sys; print(sys.executable)')" >target/peers/python
	chmod +x target/peers/python
	target/peers/python scripts/peers/versions.py
