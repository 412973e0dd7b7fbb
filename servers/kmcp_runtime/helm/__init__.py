"""The one door to Helm: releases read from the cluster without the binary, and everything that writes through it.

- `releases`: which releases there are, their revisions, one of them decoded (`payload`, `release`);
- `manifests`: the objects of a release, and what differs between two of them;
- `values`: values as data, merged as Helm merges them;
- `client`: what servers use: `opened` gives a `Helm` (upgrade, uninstall, rollback, template, show);
- `readiness`, `waiting`: what of a release is not ready, while helm waits for it;
- `binary`: the helm binary as argument lists, in directories of its own, with a private kubeconfig (`home`);
- `charts`, `origins`, `repositories`: what a chart reference may be, and where charts may come from;
- `faults`: what the binary reports, as failures with a cause and a next step.

No Python wrapper is used: the one there is (pyhelm3) goes through a shell, puts operands where they can become flags,
has no server-side dry run and no `--reset-then-reuse-values`, and its models leave out what is read here natively.
"""
