"""Counters and gauges of a proxy."""

import json
from typing import Any

from pydantic import BaseModel

from kmcp_istio.envoy.entries import Entry
from kmcp_runtime import unavailable


class Statistic(BaseModel):
    """One value; histograms are left out."""

    name: str
    value: int | float | str


def entries(content: bytes, source: str) -> list[Entry]:
    """The entries of an answer of `/stats?format=json`."""
    try:
        found: list[Any] = json.loads(content)["stats"]
    except (ValueError, KeyError, TypeError):
        raise unavailable(f"{source} did not answer with a list of statistics: {content[:80]!r}") from None
    # All histograms are one entry without a value.
    scalars = [one for one in found if isinstance(one, dict) and "name" in one and "value" in one]
    return [Entry(one["name"], Statistic(name=one["name"], value=one["value"]), one) for one in scalars]
