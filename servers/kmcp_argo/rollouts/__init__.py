"""What the objects of Argo Rollouts say, and the patches that change them, as the kubectl plugin reads and sends them.

Here belongs what follows from an object alone: status, step, revisions, analysis, patches. All of it is pure. Requests
to the API server do not belong here: those are in `client`, `changes` and the tools.
"""
