"""Rewrite the snapshots of the chart: `python -m tests.chart`. Read the difference before it is committed."""

from tests.chart.rendering import SNAPSHOTS, VALUES, Chart, snapshot
from tests.cluster import binaries


def main() -> None:
    chart = Chart(binaries.ensure(binaries.HELM, print)["helm"])
    for name, values in VALUES.items():
        (SNAPSHOTS / f"{name}.yaml").write_text(snapshot(chart.rendered(values)))


if __name__ == "__main__":
    main()
