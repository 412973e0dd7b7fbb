"""What the controller says about itself: the format of its logs and the definitions of its metrics.

Not here: when something is logged or counted (where it happens), and how metrics are served (`program.management`).
"""
