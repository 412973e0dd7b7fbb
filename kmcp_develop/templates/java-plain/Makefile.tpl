MVN ?= mvn --batch-mode --no-transfer-progress

.PHONY: check test build
check: ## Warnings of the compiler are errors, in tests too
	$(MVN) --quiet test-compile

test: ## The tools through a real MCP client
	$(MVN) package

build:
	$(MVN) --quiet package -DskipTests
