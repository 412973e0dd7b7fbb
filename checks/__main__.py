"""`python -m checks` lists what breaks the rules of the tree; with `--contracts` it writes the import contracts."""

import argparse
import sys
from pathlib import Path

from checks.contracts import write_contracts
from checks.declared import ROOT
from checks.tree import find_faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m checks", description="The rules of the house.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: this one)")
    parser.add_argument("--contracts", type=Path, metavar="FILE", help="only write the import contracts there")
    chosen = parser.parse_args()
    if chosen.contracts:
        write_contracts(chosen.root, chosen.contracts)
        return 0
    faults = list(find_faults(chosen.root))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
