"""The controller's commands of `kmcp-suite`: parse the arguments, call a room, print, set the exit code.

Not here: anything that another program could call without a command line.
"""
