"""Prints how many first candidates are right, by set and half, and which are not; an argument names one half."""

import asyncio
import sys
from collections import Counter

from tests.cluster import binaries
from tests.prometheus.wishes import run, world


def main(halves: list[str]) -> None:
    built = binaries.ensure((binaries.BACKENDS["prometheus"],), print)
    for name in world.SETS:
        with run.serving(built, name) as url:
            for half in halves or run.HALVES:
                found = asyncio.run(run.judged(url, name, half))
                counts = Counter(one.outcome for one in found)
                print(f"{name:12} {half:9} right {counts['right']}, asked {counts['asked']}, of {len(found)}")
                for one in found:
                    if one.outcome != "right" or "-v" in sys.argv:
                        print(f"    {one.outcome}: {one.wish} -> {one.first}")


if __name__ == "__main__":
    main([half for half in run.HALVES if half in sys.argv])
