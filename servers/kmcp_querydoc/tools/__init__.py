"""The tools, a file for each subject; the server finds every function here that is declared with `@tool`."""
