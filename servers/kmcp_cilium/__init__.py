"""The Cilium server: agents asked through their own command line, custom resources, and the release of the chart.

`agents` asks, `state` and `policy` read the answers, `chart` changes the release; `tools` declares the tools. Objects
that are not Cilium's do not belong here: the Kubernetes server has tools for those.
"""
