"""What answers are made of: events, logs, measurements, containers of a pod; nothing here changes anything.

How one object is explained is in `description`; how far a rollout is, in `rollout`.
"""
