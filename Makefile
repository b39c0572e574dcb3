# The two commands: `make run` and `make test`. `make help` lists the others.
# Nothing is installed outside this directory, except by `make deps`, which
# `make test` calls and which says what it does.

GO          ?= go
CGO_ENABLED ?= 0
export CGO_ENABLED
# Where `make deps` and `make lint` put programs.
export PATH := $(CURDIR)/.cache/bin:$(PATH)

VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
TOOLS    = $(CURDIR)/.cache/bin
# What the coverage bar of 85 % is about.
COVERED  = engine transport storage api
SEEDS   ?= 2000

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
BENCHSTAT   = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

.PHONY: help build run test deps format vet lint cross race cover simulate replay e2e microbench bench profile pgo clean
.SHELLFLAGS = -o pipefail -c
SHELL = bash

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t12

build: ## build bin/ingot and bin/loadgen
	@$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...

run: build ## build and start the development server; ARGS="…" are its flags
	@echo "Starting ./bin/ingot dev $(ARGS)"
	@echo "Next, in another terminal:  go run ./examples/plain-http"
	@echo "                       or:  cd examples/typescript && npm ci && npm start"
	@./bin/ingot dev $(ARGS)

test: deps format vet lint cross race cover replay e2e ## install what the tests need, then run all of them

deps: ## install what the tests need: Node.js, the SDKs, Redis, PostgreSQL
	@.ci/deps

format: ## check that the Go files are formatted
	@out=$$(gofmt -l $$(find . -name '*.go' -not -path '*/node_modules/*' -not -path './.cache/*')); test -z "$$out" || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }

vet: ## go vet
	@$(GO) vet ./...

lint: ## staticcheck
	@test -x $(TOOLS)/staticcheck || GOBIN=$(TOOLS) $(GO) install $(STATICCHECK) || \
	    echo "staticcheck NOT RUN: $(STATICCHECK) could not be installed"
	@test ! -x $(TOOLS)/staticcheck || $(TOOLS)/staticcheck ./...

cross: ## compile for every supported system, without cgo
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
	    GOOS=$$os GOARCH=$$arch $(GO) build -pgo=off -o /dev/null ./cmd/... || exit 1; echo "cross $$os/$$arch ok"; \
	done; done

# Tests that exceed the time limit hang: it prints where. The race detector needs cgo.
# What replays recordings in real time runs alone, so that nothing disturbs it.
PARTS = $$($(GO) list ./... | grep -v -e /internal/golden -e /internal/e2e)

# Coverage is counted in a run of its own: counters that are safe under the race
# detector make hot loops ten times slower.
race: ## tests of single packages with the race detector
	@CGO_ENABLED=1 $(GO) test -race -timeout 15m -skip '^Test(Flow)?Simulation$$' $(PARTS)
	@CGO_ENABLED=1 $(GO) test -race -timeout 15m -run '^Test(Flow)?Simulation$$' ./engine -sim.seeds 100

COVER = $(GO) test -timeout 15m -coverpkg=$$(echo $(foreach d,$(COVERED),./$(d)/...) | tr ' ' ',')

cover: ## the same without it, the simulator, and statement coverage
	@mkdir -p .cache
	@$(COVER) -coverprofile=.cache/cover.out -skip '^Test(Flow)?Simulation$$' $(PARTS)
	@$(GO) test -timeout 15m -coverpkg=./engine/... -coverprofile=.cache/simulation.out -run '^Test(Flow)?Simulation$$' ./engine -sim.seeds $(SEEDS)
	@.ci/coverage 85 "$(COVERED)" .cache/cover.out .cache/simulation.out

simulate: ## the simulator alone: make simulate SEEDS=1000000
	@$(GO) test ./engine -run '^Test(Flow)?Simulation$$' -v -timeout 0 -sim.seeds $(SEEDS)

replay: ## play the recordings of the reference and compare
	@$(GO) test ./internal/golden/... -v -timeout 15m | grep -v -e '^=== ' -e '^    --- PASS'

e2e: ## the real SDKs, and kill -9 under load
	@CGO_ENABLED=1 $(GO) test -race -timeout 15m ./internal/e2e/...

microbench: ## benchmarks of every stage, recorded and compared; BENCH="regex" runs some, ARGS="…" are flags of ./benchmarks/micro
	@test -x $(TOOLS)/benchstat || GOBIN=$(TOOLS) $(GO) install $(BENCHSTAT)
	@$(GO) run ./benchmarks/micro $(if $(BENCH),-bench '$(BENCH)') $(ARGS)

bench: ## loadgen's standard workloads against the budgets; ONLY="ingest,flood", ARGS="…" are flags of ./benchmarks/suite
	@$(GO) run ./benchmarks/suite $(if $(ONLY),-only '$(ONLY)') $(ARGS)

profile: build ## profiles of a loaded server, as tables and flame graphs; WORKLOAD=steps, ARGS="…" are flags of ./profiles
	@$(GO) run ./profiles -workload $(or $(WORKLOAD),steps) $(ARGS)

pgo: build ## record the profile that the compiler optimises bin/ingot with
	@$(GO) run ./profiles -pgo cmd/ingot/default.pgo $(ARGS)

clean: ## remove what was built
	@rm -rf bin .cache
