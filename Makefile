# Lemma. `make` alone lists what there is to do.

SWIFT_BUILD := swift build --explicit-target-dependency-import-check error
RELEASE := $(SWIFT_BUILD) -c release --static-swift-stdlib --product lemma
BINARY := .build/release/lemma

.DEFAULT_GOAL := help
.PHONY: help setup assets build release run test test-quick lint format test-sanitizers fuzz chaos bench stranger slow verify-ops test-image clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-17s %s\n", $$1, $$2 }'

setup: ## install the Debian packages for building and running
	@scripts/setup build run

assets: setup ## copy the web page's libraries out of their packages
	@scripts/copy-assets

build: assets ## build everything for debugging
	$(SWIFT_BUILD)

release: assets ## build the program as it is shipped
	$(RELEASE)

run: release ## set up, build and run Lemma: open http://127.0.0.1:8080/
	$(BINARY) dev

test: ## set up, build and run all tests
	@scripts/setup build run test
	@scripts/copy-assets
	@scripts/test

test-quick: ## set up, build and run the unit tests: no server, under a minute after a build
	@scripts/setup build
	@scripts/copy-assets
	$(SWIFT_BUILD) --build-tests
	swift test --skip-build --filter "$$(scripts/suites unit)"

lint: ## check the format of the sources and the rules of scripts/lint; prints the number of `unsafe` by ring
	swift format lint --recursive --strict --parallel Package.swift Sources Tests
	scripts/suites --check
	@scripts/lint

format: ## format the sources
	swift format --in-place --recursive --parallel Package.swift Sources Tests

test-sanitizers: ## run the unit and integration tests under Address- and LeakSanitizer
	@scripts/setup build run test
	@scripts/copy-assets
	@scripts/test-sanitizers

fuzz: export LEMMA_FUZZ_INPUTS := $(or $(INPUTS),1000000)
fuzz: ## fuzz the event decoder, the providers' dialects and the tokens: INPUTS=1000000 mutated inputs for each
	@scripts/setup build run
	swift test --filter 'DecoderFuzzTests|RemoteAnswerFuzzTests|TokenFuzzTests'

chaos: export RUNS := $(or $(RUNS),1000)
chaos: export SEED := $(SEED)
chaos: release ## run the chaos suite: RUNS=1000 seeded runs from SEED=random on; goes on where it was stopped
	@scripts/setup test
	@scripts/chaos

bench: release ## measure delivery, memory and latency against the base line in C
	@scripts/setup bench
	Benchmarks/run

stranger: release ## measure what SECONDS=600 of one hostile client cost the others
	@scripts/setup bench test
	Benchmarks/stranger --seconds $(or $(SECONDS),600)

slow: release ## measure what slow and idle clients and a flood of logins cost the others
	@scripts/setup bench test
	Benchmarks/slow

verify-ops: release ## check image, compose file, manifests, alerts, dashboard and proxy settings
	@scripts/setup ops
	@scripts/verify-ops

test-image: ## build the container image and run it, without an engine; needs root
	@scripts/setup oci
	@scripts/test-image

clean: ## remove what was built
	rm -rf .build web/katex web/marked.js
