"""The subcommands of `kmcp-suite` for authors: `init`, `add-tool`, `run`, `test`, `build` and `deploy`."""
