"""What the controller would do in a cluster, without doing it: `kmcp-suite plan` and `kmcp-suite preflight`.

Here: reads and dry runs only. Not here: a second implementation of rendering or ownership: both are asked.
"""
