"""Two ways to install Istio: istioctl where it is present, otherwise Istio's Helm charts where they are configured.

Here belong rendering, rehearsing and applying an installation, and the components that result. What runs afterwards is
read in `control_plane`.
"""
