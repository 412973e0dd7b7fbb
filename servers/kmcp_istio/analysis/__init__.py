"""Configuration faults, as `istioctl analyze` reports them: our own checks for where istioctl cannot run.

Our checks cover the most frequent faults with istioctl's own codes, levels, origins and messages. Running istioctl does
not belong here: that is in `istioctl` and the tool.
"""
