"""Indexes of chart repositories and values of charts, given anything: a value, or the failure that is declared."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kmcp_runtime import ToolFailure, YamlError, yaml_text
from kmcp_runtime.helm import indexes, values
from kmcp_runtime.helm.release import Release
from tests.fuzz.test_parsers import ANYTHING, TEXTS

PIECES = st.sampled_from(
    [
        "apiVersion: v1\n",
        "entries:\n",
        "  web:\n",
        "  - version: 1.2.3\n",
        "    urls:\n",
        "    - https://x/a.tgz\n",
        "web:",
    ]
)
INDEXES = st.lists(PIECES | TEXTS, max_size=12).map("".join)
VERSIONS = st.sampled_from(["1.2.3", "v1.2.4", "1.3.0-rc.1", "x", ""]) | ANYTHING
ENTRIES = st.lists(st.fixed_dictionaries({}, optional={"version": VERSIONS, "urls": ANYTHING}) | ANYTHING, max_size=5)


def checked(entries: list[indexes.Entry]) -> None:
    """Whatever stands in them, they can be asked for a version and its place."""
    for entry in entries:
        version = str(entry.get("version", ""))
        assert indexes.of_version(entries, version)
        place = indexes.place_of(entries, version)
        assert place is None or isinstance(place, str)


@settings(deadline=None)
@given(INDEXES)
@example("{entries: {web: [{version: 1.2.3}]}}")
@example("  web:\n- &a [*a]\n")
@example("  web:\n  - {version: 1.2.3, urls: {0: x}}\n")
def test_an_index_is_read_or_refused(text: str) -> None:
    try:
        entries = indexes.entries_of(text, "web")
    except YamlError:
        return
    checked(entries)


@settings(deadline=None)
@given(ENTRIES)
@example([{"version": "1.2.3", "urls": {"0": "x"}}, {"version": "x"}, {"version": None}, {"version": []}])
def test_an_index_is_the_same_in_each_form(entries: list[Any]) -> None:
    document = {"apiVersion": "v1", "entries": {"web": entries}}
    try:
        written = json.dumps(document, allow_nan=False)
        expected = json.loads(written)["entries"]["web"]
    except (ValueError, UnicodeEncodeError):
        return
    found = indexes.entries_of(written, "web")
    assert sorted(map(repr, found)) == sorted(repr(entry) for entry in expected if isinstance(entry, dict))
    checked(found)
    checked(indexes.entries_of(yaml_text.write(document), "web"))


def test_the_newest_version_is_first_and_braces_are_read_as_yaml() -> None:
    text = "{entries: {web: [{version: 1.2.3, urls: [a]}, {version: x}, {version: 1.10.0, urls: [b]}]}}"
    found = indexes.entries_of(text, "web")
    assert [entry["version"] for entry in found] == ["1.10.0", "1.2.3", "x"]
    assert indexes.place_of(found, "1.10.0") == "b"
    assert indexes.place_of(found, "x") is None


@settings(deadline=None)
@given(TEXTS)
def test_values_of_a_chart_are_read_or_refused(text: str) -> None:
    try:
        found = values.parsed(text)
    except ToolFailure:
        return
    assert isinstance(values.merged(found, {"a": {"b": 1}, "c": None}), dict)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a", "b.c", "d[0]", "e\\\\.f", "g[999]", "h[1][2]"]) | TEXTS, ANYTHING, max_size=4)
)
def test_single_values_are_placed_or_refused(changes: dict[str, Any]) -> None:
    try:
        found = values.with_set({"a": {"x": 1}, "d": ["y"]}, changes)
    except ToolFailure:
        return
    assert isinstance(found, dict)


@pytest.mark.parametrize("field", ["name", "version", "appVersion"])
@settings(deadline=None, max_examples=40)
@given(ANYTHING)
def test_what_stands_in_chart_yaml_is_shown_as_text(field: str, value: Any) -> None:
    release = Release.of({"name": "web", "chart": {"metadata": {field: value}}})
    assert isinstance(release.chart_name + release.chart_version + release.app_version, str)
