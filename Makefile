# The two that matter on a fresh machine with cargo: `make run` and `make test`. Each installs what it needs first.

CARGO ?= cargo
# What `make run` hands to the demo: `make run ARGS=--traffic`.
ARGS ?=

# command=package: Debian's name for what brings the command. Pingora's zlib-ng is built by cmake, ring and zstd by cc.
RUN_NEEDS = cmake=cmake cc=gcc,libc6-dev
# The tests send signals, apply what `flags diff` prints, and speak TLS with clients that are not ours.
TEST_NEEDS = $(RUN_NEEDS) kill=procps patch=patch curl=curl openssl=openssl
# Versions that build with the Rust of Cargo.toml; newer ones that are there already serve as well.
NEXTEST = cargo-nextest@0.9.143
DENY = cargo-deny@0.20.2
FUZZER = cargo-fuzz@0.13.2
MUTANTS = cargo-mutants@27.1.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The dev profile: it builds in a third of the time of a release with fat LTO, and its dependencies are optimised, so that the
# demo answers as quickly as anyone can type. Figures come from `make release` and `make bench`.
.PHONY: run
run: setup-run ## Start the demo: two versions of a service behind the gateway
	$(CARGO) run --locked --bin flagway -- demo $(ARGS)

.PHONY: test
test: setup-test ## Run every test
	$(CARGO) nextest run --locked
	$(CARGO) test --locked --doc

# Questions that `make conformance` puts to each engine.
CASES ?= 100000

.PHONY: conformance
conformance: setup-test ## Compare our answers with those of flagd's other engines over 100,000 cases; let testssl.sh look at TLS
	CASES=$(CASES) $(CARGO) test --locked --test conformance -- --nocapture
	@.ci/setup testssl=testssl.sh openssl=openssl
	$(CARGO) build --locked --bin flagway
	.ci/testssl $${CARGO_TARGET_DIR:-target}/debug/flagway

.PHONY: lint
lint: setup-lint ## Check format, clippy and rustdoc; a warning is an error
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps

.PHONY: bench
bench: setup-run ## Time deciding, evaluating, building snapshots and comparing answers (criterion)
	$(CARGO) bench --locked --bench decide --bench evaluate --bench publish --bench compare

.PHONY: cost
cost: setup-run ## Count the gateway's instructions per request, with and without flags (callgrind)
	@.ci/setup valgrind=valgrind kill=procps
	$(CARGO) bench --locked --bench cost

.PHONY: bench-shadow
bench-shadow: setup-run ## Measure what shadows cost a client and the CPU, beside nginx's mirror
	@.ci/setup nginx=nginx kill=procps
	$(CARGO) bench --locked --bench shadow

.PHONY: bench-kill
bench-kill: setup-run ## Measure how soon a kill is true on every worker, under load
	$(CARGO) bench --locked --bench kill

.PHONY: bench-hang
bench-hang: setup-run ## Measure what a canary that hangs takes from stable: at most 1.25 times its p99 and 1 ms
	$(CARGO) bench --locked --bench hang

.PHONY: bench-ofrep
bench-ofrep: setup-run ## Time answers to OpenFeature clients: alone, and by the whole gateway under load
	$(CARGO) bench --locked --bench ofrep_bulk

.PHONY: hostile
hostile: setup-run ## Measure how long the worst of 10,000 hostile documents holds an evaluation up: at most 10 ms
	$(CARGO) bench --locked --bench hostile

# Minutes that `make soak` lasts.
MINUTES ?= 30

.PHONY: soak
soak: setup-run ## Watch memory and open files over half an hour of full load with a reload every second (MINUTES=30)
	FLAGWAY_SOAK_MINUTES=$(MINUTES) $(CARGO) bench --locked --bench soak

.PHONY: idle
idle: setup-run ## Measure the memory of 10,000 idle connections: at most 350 MB
	ulimit -n "$$(ulimit -Hn)" && $(CARGO) bench --locked --bench soak -- idle

.PHONY: release
release: setup-run ## Build target/release/flagway: fat LTO, one codegen unit, minutes
	$(CARGO) build --locked --release

.PHONY: deny
deny: ## Check licences, banned crates, sources and advisories (cargo-deny)
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "deny: installing $(DENY) with cargo"; $(CARGO) install $(DENY) --locked; }
	$(CARGO) deny --locked check bans licenses sources
	@if $(CARGO) deny fetch db >/dev/null 2>&1; then \
		$(CARGO) deny --locked --offline check advisories; \
	else \
		echo "deny: the advisory database cannot be reached from here: advisories were NOT checked"; \
	fi

# Seconds that `make fuzz` spends on each target, and which. The fuzzed crate is built with the versions of our own lock file, and
# without a sanitizer: there is no unsafe code to watch, and inputs go by several times as quickly.
FUZZ_FOR ?= 60
FUZZ ?= definitions evaluate request dictionary compare head

.PHONY: fuzz
fuzz: ## Fuzz loading, evaluating, requests, decision fields, comparing, heads and chunks (nightly Rust; builds long)
	@.ci/setup $(RUN_NEEDS) c++=g++
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo "fuzz: installing $(FUZZER) with cargo"; $(CARGO) install $(FUZZER) --locked; }
	@$(CARGO) +nightly --version >/dev/null 2>&1 || { echo "fuzz: installing nightly Rust with rustup"; rustup toolchain install nightly --profile minimal; }
	cp Cargo.lock fuzz/Cargo.lock
	$(CARGO) +nightly fuzz build --sanitizer none
	set -e; for target in $(FUZZ); do \
		mkdir -p fuzz/corpus/$$target; \
		$(CARGO) +nightly fuzz run --sanitizer none $$target fuzz/corpus/$$target fuzz/kept/$$target -- \
			-max_total_time=$(FUZZ_FOR) -max_len=4096 -timeout=10; \
	done

# Files whose changes `make mutants` tries: `make mutants FILES="src/flag/cbor.rs"`; none: all of src/flag.
FILES ?=

.PHONY: mutants
mutants: setup-run ## Change src/flag in every small way and tell what no test notices (an hour or more; goes on where it stopped)
	@$(CARGO) mutants --version >/dev/null 2>&1 || { echo "mutants: installing $(MUTANTS) with cargo"; $(CARGO) install $(MUTANTS) --locked; }
	@.ci/mutants $(FILES)

.PHONY: image
image: ## Build the container image flagway:<version> (needs Docker)
	docker build --tag flagway:$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1) .

.PHONY: setup setup-run setup-test setup-lint
setup: setup-test ## Install what `make run` and `make test` need (Debian)
	@echo "setup: everything is there"

setup-run:
	@.ci/setup $(RUN_NEEDS)

# Asked through cargo, which also finds what stands in its own bin folder but not on the PATH.
setup-test:
	@.ci/setup $(TEST_NEEDS)
	@$(CARGO) nextest --version >/dev/null 2>&1 || { \
		echo "setup: missing: cargo-nextest; installing with cargo: $(NEXTEST) (some minutes, once)"; \
		$(CARGO) install $(NEXTEST) --locked; }
	@.ci/peers

# rustup's minimal profile leaves these two out.
setup-lint: setup-run
	@$(CARGO) fmt --version >/dev/null 2>&1 && $(CARGO) clippy --version >/dev/null 2>&1 || { \
		echo "setup: missing: rustfmt or clippy; installing with rustup"; \
		rustup component add rustfmt clippy; }

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean
