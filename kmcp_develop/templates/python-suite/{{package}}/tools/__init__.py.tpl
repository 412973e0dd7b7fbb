"""The tools; the server finds every function here that is declared with `@tool`."""
