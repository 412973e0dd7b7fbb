"""Data sources, their queries, and the frames that these answer.

Which of these functions are actions, and of which tool, is declared in `tools`.
"""
