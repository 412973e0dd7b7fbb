"""The configuration as Prometheus prints it: YAML whose sections begin at the margin, secrets already masked."""

import re

from kmcp_runtime import ToolFailure, bad_argument, nearest, not_found, quoted_list

# Cut as text and not parsed: reading and writing YAML anew would lose comments, order and Prometheus' own spelling.
_SECTION = re.compile(r"^(?=[A-Za-z_]+:)", re.MULTILINE)
_ITEM = re.compile(r"^(?=- )", re.MULTILINE)
_JOB = re.compile(r"^- job_name: (?P<name>.+)$", re.MULTILINE)
SCRAPE = "scrape_configs"


def section(text: str, name: str) -> str:
    """The lines of one section; empty when it is not set."""
    return next((part for part in _SECTION.split(text) if part.startswith(f"{name}:")), "")


def job(text: str, name: str) -> str:
    """The scrape configuration of one job."""
    found = {_name(part): part for part in _ITEM.split(section(text, SCRAPE)) if _JOB.match(part)}
    if name not in found:
        raise _no_job(name, list(found))
    return f"{SCRAPE}:\n{found[name]}"


def check(section_name: str, job_name: str | None) -> None:
    if job_name is not None and section_name not in ("all", SCRAPE):
        raise bad_argument("job: only scrape_configs has jobs", f"leave section out, or section={SCRAPE}")


def _name(part: str) -> str:
    match = _JOB.match(part)
    return match["name"].strip("\"'") if match else ""


def _no_job(name: str, known: list[str]) -> ToolFailure:
    near = nearest(name, known) or known[:20]
    return not_found(f"there is no job {name!r} in {SCRAPE}", f"jobs: {quoted_list(near) or 'none'}")
