"""The schema of the chart's values is written by hand: it is held to the values and to the settings they become."""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic.fields import FieldInfo

from kmcp_controller.program.settings import ControllerSettings
from kmcp_runtime.kube.settings import ClusterSettings
from kmcp_runtime.settings import RuntimeSettings, Settings, variable
from tests.chart.rendering import CHART

TEMPLATES = CHART / "templates"
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES = (CHART / "values.yaml").read_text()
PART_OF_ANY_CHART = {"global"}
FORBIDDEN: Any = False
"""The schema of what nobody may set."""
# Where the template does more than hand a value on, the setting is named here.
MORE: dict[str, tuple[type[Settings], str]] = {
    "approvalLedger": (RuntimeSettings, "KMCP_APPROVAL_LEDGER"),
    "authentication.audience": (RuntimeSettings, "KMCP_TOKEN_AUDIENCE"),
    "callers.actAs": (ClusterSettings, "KMCP_ACT_AS"),
    "audit.file.megabytes": (RuntimeSettings, "KMCP_AUDIT_FILE_MEGABYTES"),
    "audit.file.files": (RuntimeSettings, "KMCP_AUDIT_FILES"),
}


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that the schema names, by its path."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}", inner
        if inner is not FORBIDDEN:
            yield from nodes(inner, f"{path}{name}.")


NODES = dict(nodes(SCHEMA))


def handed_on() -> dict[str, tuple[type[Settings], str]]:
    """Values that become a setting of the controller as they are, as the template says."""
    text = (TEMPLATES / "_environment.tpl").read_text()
    for name, whole in (("controller", "controller"), ("metrics", "controller.metrics")):
        text = text.replace(f"${name}.", f".Values.{whole}.")
    found = re.findall(r'^ +"(KMCP_\w+)" \.Values\.([\w.]+)$', text, re.MULTILINE)
    return {path: (ControllerSettings, env) for env, path in found}


SETTINGS = {**handed_on(), **MORE}


def field_of(settings: type[Settings], env: str) -> FieldInfo:
    return next(field for name, field in settings.model_fields.items() if variable(name, field) == env)


def test_the_template_is_read() -> None:
    assert {"controller.workers", "controller.references.secrets", "remoteMCPServers", "tenants.enabled"} < set(
        SETTINGS
    )
    assert len(SETTINGS) > 20


@pytest.mark.parametrize("path", SETTINGS)
def test_a_value_takes_what_its_setting_takes(path: str) -> None:
    field, schema = field_of(*SETTINGS[path]), NODES[path]
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        assert sorted(schema["enum"]) == sorted(get_args(field.annotation))
        return
    assert schema["type"] == {bool: "boolean", int: "integer", str: "string"}[kinds[0]]
    bounds = {"ge": "minimum", "le": "maximum", "min_length": "minLength"}
    limits = {bounds[name]: getattr(each, name) for each in field.metadata for name in bounds if hasattr(each, name)}
    # A text may be held to more by the chart: it knows that something must stand there.
    wanted = {name: schema[name] for name in bounds.values() if name in schema}
    assert wanted == limits or (kinds[0] is str and limits.items() <= wanted.items())


def test_what_the_schema_names_is_among_the_values_or_explained_there() -> None:
    comments = "\n".join(line for line in VALUES.splitlines() if "#" in line)
    values = yaml.safe_load(VALUES)

    def is_there(path: str) -> bool:
        inner = values
        for name in path.split("."):
            if not isinstance(inner, dict) or name not in inner:
                return re.search(rf"\b{name}\b", comments) is not None
            inner = inner[name]
        return True

    named = [path for path, schema in NODES.items() if schema is not FORBIDDEN and path not in PART_OF_ANY_CHART]
    assert [path for path in named if not is_there(path)] == []


def test_no_object_takes_a_misspelt_value() -> None:
    """Each object of the chart's own words is closed; what Kubernetes or the settings name is open."""
    open_ones = {path for path, schema in NODES.items() if _is_open(schema)}
    unnamed = {path for path in open_ones if "properties" in NODES[path]}
    assert unnamed <= {"composed.deployment", "audit.file.volume"}


def _is_open(schema: Any) -> bool:
    return (
        schema is not FORBIDDEN and schema.get("type") == "object" and schema.get("additionalProperties") is not False
    )
