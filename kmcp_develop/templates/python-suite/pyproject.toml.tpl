[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{{name}}"
version = "0.1.0"
description = "Tools of {{title}}, as a server of kmcp-suite."
requires-python = ">=3.11"
dependencies = ["{{requirement}}"]

[project.optional-dependencies]
dev = ["mypy>=1.18", "pytest>=8", "pytest-asyncio>=1", "ruff>=0.14"]

[project.scripts]
kmcp-{{name}} = "{{package}}.server:SERVER.main"

[project.entry-points."kmcp.servers"]
{{name}} = "{{package}}.server:SERVER"

[tool.hatch.build.targets.wheel]
packages = ["{{package}}"]

[tool.mypy]
strict = true
packages = ["{{package}}"]
plugins = ["pydantic.mypy"]

[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"

[tool.ruff]
line-length = 120
