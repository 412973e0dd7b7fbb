"""The tools, one file for each subject; the server finds every function here that is declared with `@tool`.

Here belong declarations, results and the few lines that join them. Logic belongs in the packages beside this one.
"""
