"""Two ways to install Istio: istioctl where it is, else Istio's Helm charts where they can be had."""
