"""The controller of Argo Rollouts itself: where it runs, in which version, and which traffic router plugins it loads.

Rollouts and experiments, which the controller acts on, do not belong here: they are in `rollouts`.
"""
