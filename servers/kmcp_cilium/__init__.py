"""The Cilium server: agents asked through their own command line, custom resources, releases of the chart."""
