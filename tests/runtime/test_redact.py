"""Redaction: planted secrets never come out, and what is no secret stays readable."""

import json
from typing import Any

import pytest

from kmcp_runtime import redaction
from tests.secrets import HARMLESS, IN_TEXTS, Planted


@pytest.mark.parametrize("planted", IN_TEXTS, ids=lambda planted: planted.secret[:24])
def test_a_secret_in_a_text_is_replaced(planted: Planted) -> None:
    assert planted.secret not in redaction.text(planted.text)
    assert planted.secret not in json.dumps(redaction.value({"message": planted.text}))
    lines = redaction.value({"lines": planted.text.split("\n")})["lines"]
    assert planted.secret not in "\n".join(lines)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redaction.text(text) == text


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
        {"metadata": {"annotations": {redaction.LAST_APPLIED: '{"data":{"k":"cGxhbnRlZA=="}}'}}},
        {"data": {"release": "H4sIplantedcGxhbnRlZA=="}},
        {"items": [{"data": {"release": "SDRzSUcGxhbnRlZAplanted"}}]},
        {"password": ["planted"], "x": "password=planted"},
        {"jsonData": {"httpHeaderName1": "X-Key"}, "secureJsonData": {"httpHeaderValue1": "planted"}},
        {"type": "slack", "secureSettings": {"url": "https://hooks.example/planted"}},
    ],
    ids=lambda shape: json.dumps(shape)[:40],
)
def test_a_secret_in_an_object_is_replaced(shape: dict[str, Any]) -> None:
    out = json.dumps(redaction.value(shape))
    assert "planted" not in out
    assert "cGxhbnRlZA" not in out


def test_keys_stay_and_marks_are_of_a_place() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "x", "uid": "1"}, "data": {"a": "eA==", "b": "eA==", "c": ""}}
    out = redaction.value(secret)["data"]
    assert set(out) == {"a", "b", "c"}
    assert all(redaction.is_mark(out[key]) for key in "ab")
    assert out["a"] != out["b"], "what a caller sees at one place cannot be compared with another"
    changed = redaction.value({**secret, "data": {"a": "eQ==", "b": "eA=="}})["data"]
    assert changed["a"] != out["a"]
    assert changed["b"] == out["b"]


def test_redacting_twice_changes_nothing_more() -> None:
    once = redaction.value({"kind": "Secret", "data": {"a": "eA=="}, "m": "password=hunter22"})
    assert redaction.value(once) == once


def test_names_of_kubernetes_fields_are_not_credentials() -> None:
    spec = {
        "imagePullSecrets": [{"name": "regcred"}],
        "volumes": [{"secret": {"secretName": "tls"}}],
        "env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}],
        "serviceAccountName": "web",
        "tokenExpirationSeconds": 3600,
    }
    assert redaction.value(spec) == spec
