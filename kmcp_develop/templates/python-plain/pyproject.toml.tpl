[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{{name}}"
version = "0.1.0"
description = "Tools of {{title}}."
requires-python = ">=3.11"
dependencies = ["fastmcp>=4.1.2,<5"]

[project.optional-dependencies]
dev = ["mypy>=1.18", "pytest>=8", "pytest-asyncio>=1", "ruff>=0.14"]

[project.scripts]
{{name}} = "{{package}}.server:main"

[tool.hatch.build.targets.wheel]
packages = ["{{package}}"]

[tool.mypy]
strict = true
packages = ["{{package}}"]

[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"

[tool.ruff]
line-length = 120
