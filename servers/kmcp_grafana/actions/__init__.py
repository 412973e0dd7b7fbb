"""What an action of a tool is made of, whatever its subject: how it is declared and its arguments are checked, and what
it answers: one thing, a page of a list, or a change with its difference.

Nothing here knows what a dashboard or a user is; that belongs to the packages of the subjects.
"""
