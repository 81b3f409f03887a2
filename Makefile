# The commands of the README. All but `help` first see to it that libtorch is there (a fraction of a second if it is).
PYTHON ?= python3

.PHONY: help run test setup ci bench peers
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

run: setup ## train DQN on CartPole, with two worker processes
	cargo run --release -p experiments -- train cartpole-dqn --sampler cpu --workers 2

test: setup ## every test, doc tests included
	cargo test --workspace

setup: ## fetch libtorch if it is not there; CUDA=1 the CUDA build, CUDA=0 the CPU build again
	@$(PYTHON) scripts/libtorch.py $(if $(CUDA),$(if $(filter 0,$(CUDA)),--cpu,--cuda))

ci: ## what every change must pass: tests, formatting, lints, docs, model checks
	.ci/run

bench: setup ## samples per second of each sampler, the quick version
	cargo run --release -p experiments -- bench samplers --quick

# Not a venv: some distributions ship Python without it. pip moves what it built in TMPDIR, so it is on the same disk.
peers: ## install what `experiments bench peers` measures against into target/peers (5.5 GB)
	rm -rf target/peers && mkdir -p target/peers/tmp
	TMPDIR="$(CURDIR)/target/peers/tmp" $(PYTHON) -m pip install --quiet --no-cache-dir --disable-pip-version-check \
	    --target target/peers/site -r scripts/peers/requirements.txt
	rm -rf target/peers/tmp
	printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" "$$@"\n' "$(CURDIR)/target/peers/site" \
	    "$$($(PYTHON) -c 'import sys; print(sys.executable)')" >target/peers/python
	chmod +x target/peers/python
	target/peers/python scripts/peers/versions.py
