"""A real Prometheus on a free port of this machine."""

import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.prometheus import known
from tests.slowness import Deadline, scaled

DEADLINE_SECONDS = 120
_LISTENING = re.compile(r'msg="Listening on" component=web address=(\S+)')
SCRAPING = """\
global:
  scrape_interval: 1s
  evaluation_interval: 1s
  external_labels: {{site: test}}
rule_files: [{rules}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:9"]}}]
scrape_configs:
  - job_name: exporter
    always_scrape_classic_histograms: true
    basic_auth: {{username: scraper, password: planted-scrape-password}}
    params: {{token: [planted-scrape-Tk7w9], format: [prometheus]}}
    static_configs: [{{targets: ["{exporter}"], labels: {{team: checkout}}}}]
  - job_name: dead
    static_configs: [{{targets: ["127.0.0.1:1"]}}]
  - job_name: dropped
    static_configs: [{{targets: ["127.0.0.1:2"]}}]
    relabel_configs: [{{action: drop, source_labels: [__address__], regex: ".*:2"}}]
otlp:
  translation_strategy: UnderscoreEscapingWithSuffixes
storage:
  tsdb: {{out_of_order_time_window: 1h}}
  exemplars: {{max_exemplars: 1000}}
"""
EMPTY = "global: {scrape_interval: 1h}\n"
RULES = """\
groups:
  - name: sums
    rules:
      - {record: "site:answer:sum", expr: vector(40) + 2, labels: {origin: rule}}
      - {record: "site:broken", expr: "up + on () up"}
  - name: alarms
    rules:
      - alert: AlwaysFiring
        expr: vector(42) > 1
        labels: {severity: page, team: checkout}
        annotations: {summary: "value is {{ $value }}"}
      - alert: TargetDown
        expr: up == 0
        labels: {severity: ticket}
      - alert: Waiting
        expr: vector(1)
        for: 9h
        labels: {severity: ticket}
      - alert: NeverFiring
        expr: vector(1) > 2
"""


@contextmanager
def running(binaries: Mapping[str, Path], directory: Path, configuration: str, *flags: str) -> Iterator[str]:
    """The base URL of a Prometheus with its storage in this directory."""
    file, log = directory / "prometheus.yaml", directory / "prometheus.log"
    file.write_text(configuration)
    argv = [
        str(binaries["prometheus"]),
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--storage.tsdb.retention.time=30d",
        *flags,
    ]
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output) as process:
        try:
            address = _address(process, log)
            _wait_ready(f"http://{address}", log)
            yield f"http://{address}"
        finally:
            process.terminate()
            process.wait(scaled(DEADLINE_SECONDS))


def backfill(binaries: Mapping[str, Path], directory: Path, lines: Iterable[str]) -> None:
    """Put samples of the past into the storage."""
    text = directory / "samples.txt"
    text.write_text("\n".join(lines) + "\n")
    data = directory / "data"
    data.mkdir()
    command = [str(binaries["promtool"]), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(data)]
    subprocess.run(command, check=True, capture_output=True)


def with_known_data(binaries: Mapping[str, Path], directory: Path) -> None:
    backfill(binaries, directory, known.openmetrics())


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = Deadline(DEADLINE_SECONDS)
    while not deadline.passed() and process.poll() is None:
        match = _LISTENING.search(log.read_text(errors="replace"))
        if match:
            return match[1]
        time.sleep(0.05)
    raise AssertionError(f"Prometheus does not listen:\n{log.read_text(errors='replace')[-3000:]}")


def _wait_ready(url: str, log: Path) -> None:
    deadline = Deadline(DEADLINE_SECONDS)
    while not deadline.passed():
        try:
            if httpx2.get(f"{url}/-/ready", timeout=scaled(5)).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"Prometheus does not become ready:\n{log.read_text(errors='replace')[-3000:]}")
