"""From a tool's typed result (`results`) to what a client gets.

A list is cut at its `limit` in `slices`, with a cursor of `cursors`; any answer is cut at the token budget in `bound`,
which first hides secrets (`kmcp_runtime.redaction`); `render` makes the text for the model.
"""
