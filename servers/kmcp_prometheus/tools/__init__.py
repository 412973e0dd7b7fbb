"""The tools, a file for each subject."""
