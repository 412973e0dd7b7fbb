"""Redaction: planted secrets never come out, and what is no secret stays readable."""

import json
from typing import Any

import pytest

from kmcp_runtime import redact
from tests.secrets import HARMLESS, IN_TEXTS, Planted


@pytest.mark.parametrize("planted", IN_TEXTS, ids=lambda planted: planted.secret[:24])
def test_a_secret_in_a_text_is_replaced(planted: Planted) -> None:
    assert planted.secret not in redact.text(planted.text)
    assert planted.secret not in json.dumps(redact.value({"message": planted.text}))
    lines = redact.value({"lines": planted.text.split("\n")})["lines"]
    assert planted.secret not in "\n".join(lines)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact.text(text) == text


@pytest.mark.parametrize(
    "shape",
    [
        {"kind": "Secret", "data": {"k": "cGxhbnRlZA=="}},
        {"kind": "Secret", "stringData": {"k": "planted"}},
        {"kind": "SecretList", "items": [{"data": {"k": "cGxhbnRlZA=="}}]},
        {"kind": "List", "items": [{"kind": "Secret", "data": {"k": "cGxhbnRlZA=="}}]},
        {"kind": "Pod", "env": [{"name": "DB_PASSWORD", "value": "planted"}]},
        {"env": {"API_TOKEN": "planted"}},
        {"values": {"auth": {"adminPassword": "planted"}}},
        {"users": [{"user": {"client-key-data": "cGxhbnRlZA==", "token": "planted"}}]},
        {"metadata": {"annotations": {redact.LAST_APPLIED: '{"data":{"k":"cGxhbnRlZA=="}}'}}},
        {"data": {"release": "H4sIplantedcGxhbnRlZA=="}},
        {"items": [{"data": {"release": "SDRzSUcGxhbnRlZAplanted"}}]},
        {"password": ["planted"], "x": "password=planted"},
        {"jsonData": {"httpHeaderName1": "X-Key"}, "secureJsonData": {"httpHeaderValue1": "planted"}},
        {"type": "slack", "secureSettings": {"url": "https://hooks.example/planted"}},
    ],
    ids=lambda shape: json.dumps(shape)[:40],
)
def test_a_secret_in_an_object_is_replaced(shape: dict[str, Any]) -> None:
    out = json.dumps(redact.value(shape))
    assert "planted" not in out
    assert "cGxhbnRlZA" not in out


def test_keys_stay_and_equal_values_look_equal() -> None:
    out = redact.value({"kind": "Secret", "data": {"a": "eA==", "b": "eA==", "c": "eQ=="}})["data"]
    assert set(out) == {"a", "b", "c"}
    assert out["a"] == out["b"] != out["c"]
    assert out["a"].startswith("sha256:")


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact.value({"kind": "Secret", "data": {"a": "eA=="}, "m": "password=hunter22"})
    assert redact.value(once) == once


def test_names_of_kubernetes_fields_are_not_credentials() -> None:
    spec = {
        "imagePullSecrets": [{"name": "regcred"}],
        "volumes": [{"secret": {"secretName": "tls"}}],
        "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
        "serviceAccountName": "web",
        "tokenExpirationSeconds": 3600,
    }
    assert redact.value(spec) == spec
