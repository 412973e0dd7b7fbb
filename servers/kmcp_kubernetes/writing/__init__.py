"""What every change goes through: manifests, patches, labels and scaling, who owns a field, and what a refusal means.

Rollouts have their own package; drafts that change nothing are in `drafts`.
"""
