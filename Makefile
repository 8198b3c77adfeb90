# What a developer types. `make demo` and `make test` need nothing before them
# but Go and make: they see to Docker and to the images themselves, and say loudly
# what they do instead where there can be no engine.

GO      ?= go
VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TOOLS   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bench/tools
LINT    := $(TOOLS)/golangci-lint-2.15.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/bench
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/bench ./cmd/bench

.PHONY: demo
demo: build ## Run the quickstart suite in real containers; reports go to out/
	@.ci/demo

.PHONY: test
test: ## Run all tests, with Docker and every case
	@GO='$(GO)' .ci/test

.PHONY: torture
torture: docker ## Injure bench a few hundred times, and look whether anything was lost
	BENCH_TORTURE=long $(GO) test -count 1 -timeout 80m -v -run '^TestTorture$$' ./cmd/bench

.PHONY: lint
lint: $(LINT) ## Run the linters, and check the layout of Go and benchfiles
	@test -z "$$(gofmt -l .)" || { echo "gofmt differs:"; gofmt -l .; exit 1; }
	$(LINT) run ./...
	$(GO) run ./cmd/bench fmt --check agents benchfiles cases docs

$(LINT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS)/new $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	@mv $(TOOLS)/new/golangci-lint $@

.PHONY: bench
bench: docker ## Run the benchmarks
	BENCH_LITELLM="$$(.ci/litellm)" $(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: clean
clean: ## Remove what was built and all results of this clone
	rm -rf bin out .bench

# A running Docker engine, with the image that the Dockerfiles build on.
.PHONY: docker
docker:
	@.ci/ensure-docker
	@cases/images/ensure-base.sh
