# The commands of the README. All but `help` first see to it that libtorch is there (a fraction of a second if it is).
PYTHON ?= python3

.PHONY: help run test setup ci bench
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
