"""Each row of the cases that once leaked, or were hidden wrongly, by its number."""

import base64
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime import redaction
from kmcp_runtime.echoes import LONGEST, shortened
from kmcp_runtime.kube.failures import from_response
from kmcp_runtime.redaction import shapes
from kmcp_runtime.redaction.marks import _key, use_key
from kmcp_runtime.redaction.words import words

VALUE = "Zq7planted9Xw"

NAMES = words(
    "DB_PW SECRET_KEY_BASE KMCP_STATE_KEY PASSWORD2 TOKEN_V2 SECRET_1 API_KEY_PROD STRIPE_KEY MASTER_KEY",
    "ACCOUNT_KEY DD_APP_KEY JWT_KEY HMAC_KEY REDIS_AUTH POSTGRES_DSN SENTRY_DSN SLACK_WEBHOOK WEBHOOK_SECRET",
    "GITHUB_PAT license_key pw requirepass dbPassword api-key ENCRYPTION_KEY SESSION_SECRET COOKIE_SECRET",
    "PGPASSWORD adminPassword client_secret AWS_SECRET_ACCESS_KEY NPM_TOKEN",
)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_L4_a_credential_is_known_by_its_name(name: str) -> None:
    for shown in (
        redaction.value({"env": [{"name": name, "value": VALUE}]}),
        redaction.value({name: VALUE}),
        redaction.text(f"A=1\n{name}={VALUE}\nB=2"),
        redaction.text(f"{name}: {VALUE}\nother: 2\n"),
    ):
        assert VALUE not in json.dumps(shown)


@pytest.mark.parametrize("shape", [*shapes.table("whole"), *shapes.table("part")], ids=lambda shape: shape.name)
def test_L5_a_format_hides_its_example_and_shows_the_other(shape: shapes.Shape) -> None:
    assert redaction.HIDDEN in redaction.text(shape.hides)
    assert redaction.text(shape.shows) == shape.shows


FORMATS = (
    "https://hooks.slack.com/services/T0AB/B0CD/{}",
    "https://discord.com/api/webhooks/112233445566/{}abcdefgh",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}AAAA==;",
    "https://x.blob.core.windows.net/c?sv=2024&sig={}%3D",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature={}",
    "app:{}@tcp(db:3306)/app?parseTime=true",
    "machine git.example.com login bot password {}",
    "curl -sS -u admin:{} https://api.example.com",
    "mysql -h db -u root -p{} app",
)


@pytest.mark.parametrize("form", FORMATS)
def test_L5_a_format_of_text_is_hidden(form: str) -> None:
    assert VALUE not in redaction.text(form.format(VALUE))
    assert VALUE not in json.dumps(redaction.value({"args": ["sh", "-c", form.format(VALUE)]}))


def test_L5_a_key_in_base64_is_hidden_by_its_place() -> None:
    pem = base64.b64encode(b"-----BEGIN PRIVATE KEY-----\nMIIEplanted\n-----END PRIVATE KEY-----\n").decode()
    assert pem not in json.dumps(redaction.value({"kind": "ConfigMap", "data": {"tls.key": pem}}))


CONTAINERS = (
    json.dumps({"payload": json.dumps({"password": VALUE, "user": "bob"})}),
    json.dumps({"a": json.dumps({"b": json.dumps({"password": VALUE})})}),
    f"password: |\n  {VALUE}\nuser: bob\n",
    f"<server><password>{VALUE}</password></server>",
    json.dumps({"auths": {"r.example.com": {"auth": base64.b64encode(f"bot:{VALUE}".encode()).decode()}}}),
    f"db.user=bob\ndb.password = {VALUE}\n",
    f"[db]\nuser = bob\npassword = {VALUE}\n",
    f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\nstringData:\n  plain: {VALUE}\n",
    f"password: ${VALUE}\nuser: bob\n",
    f"password: '{VALUE}'\n",
)


@pytest.mark.parametrize("text", CONTAINERS)
def test_L6_a_document_in_a_text_is_read_as_one(text: str) -> None:
    planted = (VALUE, base64.b64encode(f"bot:{VALUE}".encode()).decode())
    shown = [json.dumps(redaction.value({"kind": "ConfigMap", "data": {"config": text}})), redaction.text(text)]
    assert not [form for form in planted for each in shown if form in each]


@pytest.mark.parametrize(
    "values",
    [
        {"adminPassword": 12345678},
        {"password": 87654321},
        {"secrets": {"anything": "planted12345678", "n": 12345678}},
        {"auth": {"password": 12345678}},
    ],
)
def test_L7_a_value_that_is_no_string_is_hidden(values: dict[str, Any]) -> None:
    out = json.dumps(redaction.value(values))
    assert not [planted for planted in ("12345678", "87654321") if planted in out]


def test_L8_a_column_is_named_as_a_field_is() -> None:
    table = {"columns": ["Name", "Token", "Password"], "items": [["web", VALUE, "hunter2"]]}
    row = redaction.value(table)["items"][0]
    assert row[0] == "web"
    assert all(redaction.is_mark(cell) for cell in row[1:])


def test_L9_an_error_does_not_repeat_the_spec() -> None:
    message = (
        'Pod "web" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`'
        "\n  core.PodSpec{\n"
        f'  Containers: []core.Container{{{{Env: []core.EnvVar{{{{Name: "PLAIN", Value: "{VALUE}"}}}}}}}}'
    )
    body = json.dumps({"kind": "Status", "message": message, "reason": "Invalid", "code": 422}).encode()
    failure = from_response(422, body, "x")
    assert VALUE not in failure.message
    assert "may not change fields other than" in failure.message
    assert VALUE not in redaction.text(f'core.EnvVar{{Name: "DB_PASSWORD", Value: "{VALUE}"}}')


@pytest.mark.parametrize(
    "settings",
    [
        {"url": f"https://hooks.example.com/a/b/c/{VALUE}?x=1", "kind": "webhook"},
        {"url": f"https://x.example.com/?sig={VALUE}"},
        {"integrationKey": VALUE},
        {"httpHeaderValue1": VALUE},
        {"url": f"https://x.example.com/send?a=1&key={VALUE}"},
    ],
)
def test_L10_settings_of_contact_points_are_hidden(settings: dict[str, str]) -> None:
    assert VALUE not in json.dumps(redaction.value({"type": "webhook", "settings": settings}))


def test_L11_a_parameter_of_a_scrape_is_hidden() -> None:
    config = f"scrape_configs:\n- job_name: x\n  params:\n    token:\n    - {VALUE}\n    format: [prometheus]\n"
    assert VALUE not in redaction.text(config)
    assert VALUE not in redaction.text(f"  params:\n    token: [{VALUE}]\n")
    assert VALUE not in json.dumps(redaction.value({"params": {"token": [VALUE]}}))


def test_L12_what_nobody_sees_is_removed() -> None:
    invisible = "\U000e0041\ufeff\u00ad\u2028\u202e\u0085\u200b"
    assert redaction.text(f"a{invisible}b") == "ab"
    assert redaction.value({"a": f"x{invisible}y"}) == {"a": "xy"}
    assert VALUE not in redaction.text(f"pass\u00adword=\ufeff{VALUE}")


CAUSES = (
    "open /run/token: no such file or directory",
    "open /var/run/secrets/token: permission denied",
    "failed to renew token: permission denied",
    'exec: "/etc/passwd": no such file',
    'Secret "x" is invalid: data: Required value',
    "error getting credentials: exec: executable not found",
    'secrets "web" is forbidden: User "a" cannot get resource',
    "invalid token: expired",
    "MountVolume.SetUp failed for volume secret : secret not found",
)


@pytest.mark.parametrize("text", CAUSES)
def test_O1_the_cause_of_a_failure_is_shown(text: str) -> None:
    assert redaction.text(text) == text


@pytest.mark.parametrize(
    "harmless",
    [
        {"max_tokens": 4096},
        {"tokens": "512"},
        {"imagePullSecrets": "regcred"},
        {"labels": {"token": "blue"}},
        {"certificate-authority-data": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t" * 4},
        {"kind": "ExternalSecret", "spec": {"data": [{"secretKey": "db-password", "remoteRef": {"key": "prod/db"}}]}},
        {"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]},
    ],
)
def test_O2_what_only_sounds_like_a_secret_is_shown(harmless: dict[str, Any]) -> None:
    assert redaction.value(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('[\n "agent-apikey:",\n "agent-mode:x"\n]', None),
        (f'[\n "agent-apikey:{VALUE}",\n "agent-mode:x"\n]', '[\n "agent-apikey:[hidden]",\n "agent-mode:x"\n]'),
        (f"- 'PASSWORD={VALUE}'\n- 'MODE=x'", "- 'PASSWORD=[hidden]'\n- 'MODE=x'"),
    ],
)
def test_O4_the_quotes_around_a_setting_stay(text: str, shown: str | None) -> None:
    assert redaction.text(text) == (text if shown is None else shown)


@pytest.mark.parametrize("value", ["certificate", "Certificate", "CERTIFICATE", "monitoring"])
def test_O2_a_plain_word_is_shown_although_a_secret_holds_it(value: str) -> None:
    redaction.learn_encoded(base64.b64encode(value.encode()).decode())
    assert redaction.value({"auth": f"client_{value}", "line": f"{value} expires"}) == {
        "auth": f"client_{value}",
        "line": f"{value} expires",
    }


@pytest.mark.parametrize("value", ["wordsinarowonlyhere", "onlyHereMixedCase", "only-here-1"])
def test_L1_what_is_more_than_a_word_is_hidden_wherever_it_comes_back(value: str) -> None:
    redaction.learn_encoded(base64.b64encode(value.encode()).decode())
    assert value not in redaction.text(f"cannot use {value} here")


def test_O3_an_environment_gets_lines() -> None:
    shown = redaction.text(f"PATH=/bin\0DB_PASSWORD={VALUE}\0HOME=/root\0")
    assert shown == "PATH=/bin\nDB_PASSWORD=[hidden]\nHOME=/root"


def test_O4_a_key_with_fields_below_it_is_not_hidden() -> None:
    text = "+      - serviceAccountToken:\n+          expirationSeconds: 3607\n+          path: token\n"
    assert redaction.text(text) == text


def test_F1_a_mark_in_a_text_says_nothing_about_the_value() -> None:
    assert redaction.text(f"password={VALUE}") == "password=[hidden]"
    forged = {"kind": "Secret", "metadata": {"name": "x", "uid": "1"}, "data": {"pin": "MTIzNA=="}}
    live = redaction.value(forged)["data"]["pin"]
    assert live != redaction.value({"text": json.dumps(forged)})["text"]
    assert live not in redaction.text(json.dumps(forged))
    assert redaction.value(forged, foreign=True)["data"]["pin"] == redaction.HIDDEN


def test_F3_replicas_with_one_key_mark_alike() -> None:
    before = _key.bytes
    try:
        marks = set()
        for _ in range(2):
            use_key("k" * 32)
            marks.add(redaction.mark("/Secret/1/data/pin", "MTIzNA=="))
        use_key("another" * 8)
        assert len(marks) == 1
        assert redaction.mark("/Secret/1/data/pin", "MTIzNA==") not in marks
    finally:
        _key.bytes = before


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"spec": {"a": "[hidden]"}}, "spec.a"),
        ({"manifest": "a: 1\nb: x password=[hidden:3f9c] y\n"}, "manifest (line 2)"),
        ({"args": ["--token=[hidden]"]}, "args.0"),
        ({"values": {"[hidden]": 1}}, "values.[hidden]"),
        ({"url": "https://u:%5Bhidden%5D@h"}, "url"),
        ({"a": "hidden", "b": ["[x]"]}, None),
    ],
)
def test_R1_a_mark_is_found_wherever_it_comes_in(sent: Any, place: str | None) -> None:
    assert redaction.find_mark(sent) == place


def test_what_is_learnt_is_hidden_in_every_encoding() -> None:
    secret = "l34rnt/secret+value&more"
    redaction.learn(secret)
    encoded = base64.b64encode(f"u:{secret}".encode()).decode()
    for text in (f"x {secret} y", f"x {encoded}", "x l34rnt%2Fsecret%2Bvalue%26more"):
        assert "[hidden]" in redaction.text(text), text


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_L6_documents_in_documents_are_read_to_the_end(depth: int) -> None:
    text = "kind: Secret\nstringData:\n  word: abracadabra\n"
    for level in range(depth):
        text = yaml.safe_dump(
            {"kind": "ConfigMap", "data": {f"secret-{level}": text, "note": "shown: yes\nin: full\n"}}
        )
    told = redaction.text(text)
    assert "abracadabra" not in told
    assert "shown: yes" in told


def test_F1_an_error_repeats_no_more_than_an_excerpt() -> None:
    guesses = ",".join(f"guess{number:05d}" for number in range(600))
    told = shortened(f'selector "{guesses}" is not valid: unexpected ","', {"selector": guesses, "limit": 3})
    assert len(told) < 100
    assert told.startswith('selector "guess00000,')
    assert told.endswith('is not valid: unexpected ","')
    quoted = json.dumps({"a": 'x "y" ' * 40})
    assert len(shortened(f"cannot read {json.dumps(quoted)} at 3", {"manifest": quoted})) < 80
    assert shortened('pods "web" not found', {"name": "web"}) == 'pods "web" not found'


@given(st.text(min_size=61, max_size=400), st.text(max_size=80), st.text(max_size=80))
def test_F1_no_passage_of_an_argument_stays_whole(argument: str, before: str, after: str) -> None:
    told = shortened(before + argument + after, {"a": [{"b": argument}]})
    assert argument not in told or argument in before + after
    assert shortened(before, {"a": argument}) == before or len(before) > LONGEST


def test_a_word_of_our_own_schema_stays_though_a_secret_holds_it() -> None:
    redaction.learn("rolled-back")
    assert "rolled-back" not in redaction.text("it was rolled-back")
    redaction.keep(["rolled-back", "in_progress"])
    redaction.learn("in_progress")
    assert redaction.value({"result": "rolled-back", "state": "in_progress"}) == {
        "result": "rolled-back",
        "state": "in_progress",
    }
