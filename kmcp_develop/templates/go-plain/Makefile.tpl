GO ?= go

.PHONY: check test build
check: ## Formatting, vet and the checksums of modules
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) mod verify

test: build ## The tools through a real MCP client
	$(GO) test ./...

build:
	$(GO) build -trimpath -o bin/{{name}} .
