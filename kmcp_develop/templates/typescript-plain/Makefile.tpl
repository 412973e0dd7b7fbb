.PHONY: check test build
check: node_modules/.ready ## Formatting and types
	npm run --silent check

test: build ## The tools through a real MCP client
	npm run --silent test

build: node_modules/.ready
	npm run --silent build

node_modules/.ready: package.json package-lock.json
	npm ci --silent
	touch $@
