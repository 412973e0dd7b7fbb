"""R1: what comes back with a mark is the live value at its place, or is refused with the place."""

import copy
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kmcp_runtime import ToolFailure, redaction

SECRET = "Zq7planted9Xw"
OTHER = "Km4planted2Rt"
TEXT = f"# settings\nport = 80\ndb.password = {SECRET}\nhost = a\n[smtp]\nuser = bob\npassword = {OTHER}\n"


def config_map(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "app", "namespace": "x"}, "data": data}


def deployment(**container: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "web", "image": "web:1", **container}]}
    return {"kind": "Deployment", "metadata": {"name": "web", "namespace": "x"}, "spec": {"template": {"spec": pod}}}


def back(sent: Any, live: Any) -> Any:
    return redaction.restore(sent, live, "manifest")


def refused(sent: Any, live: Any) -> str:
    with pytest.raises(ToolFailure) as caught:
        back(sent, live)
    assert caught.value.code == "bad_argument"
    assert "in place of a secret" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("port = 80", "port = 81"),
        ("host = a", "host = b"),
        ("port = 80\n", ""),
        ("host = a\n", "host = a\ntimeout = 3\n"),
        ("user = bob\n", "# the mail server\nuser = eve\nfrom = eve\n"),
        ("# settings\n", ""),
    ],
)
def test_R1_another_line_of_the_same_text_changes(was: str, now: str) -> None:
    live = config_map(config=TEXT)
    sent = redaction.value(live)
    assert SECRET not in sent["data"]["config"]
    sent["data"]["config"] = sent["data"]["config"].replace(was, now)
    assert back(sent, live) == config_map(config=TEXT.replace(was, now))


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("db.password = ", "db.password.old = "),
        ("db.password = ", "note = "),
        ("[smtp]", "[ldap]"),
        ("password = ", "password = x"),
    ],
)
def test_R1_a_line_with_a_mark_that_changes_is_refused(was: str, now: str) -> None:
    live = config_map(config=TEXT)
    sent = redaction.value(live)
    sent["data"]["config"] = sent["data"]["config"].replace(was, now, 1)
    assert "manifest.data.config" in refused(sent, live)


def test_R1_marks_that_change_places_in_a_text_are_refused() -> None:
    live = config_map(config=TEXT)
    sent = redaction.value(live)
    lines = sent["data"]["config"].split("\n")
    marked = [number for number, line in enumerate(lines) if "[hidden" in line]
    one, other = marked
    lines[one], lines[other] = lines[other], lines[one]
    refused({**sent, "data": {"config": "\n".join(lines)}}, live)


@pytest.mark.parametrize(
    "container",
    [
        {"args": ["--port=80", f"--token={SECRET}", "--verbose"]},
        {"args": ["--password", SECRET, "--port", "80"]},
        {"env": [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "PORT", "value": "80"}]},
        {"env": [{"name": "DSN", "value": f"postgres://u:{SECRET}@h/db"}, {"name": "PORT", "value": "80"}]},
        {"command": ["sh", "-c", f"export PORT=80\nserve --token={SECRET}\n"]},
    ],
)
def test_R1_the_rest_of_a_deployment_changes(container: dict[str, Any]) -> None:
    live = deployment(**container)
    sent = redaction.value(live)
    assert SECRET not in str(sent)
    changed = copy.deepcopy(sent)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    expected = copy.deepcopy(live)
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    assert back(changed, live) == expected


def test_R1_lists_in_another_order() -> None:
    env = [{"name": "A_PASSWORD", "value": SECRET}, {"name": "B_PASSWORD", "value": OTHER}, {"name": "C", "value": "1"}]
    live = deployment(env=env)
    sent = redaction.value(live)
    items = sent["spec"]["template"]["spec"]["containers"][0]["env"]
    items.reverse()
    assert back(sent, live)["spec"]["template"]["spec"]["containers"][0]["env"] == env[::-1]
    items[0]["name"], items[1]["name"], items[2]["name"] = "B_PASSWORD", "C", "A_PASSWORD"
    refused(sent, live)


def test_R1_flags_in_another_order_keep_their_values() -> None:
    live = deployment(args=["--password", SECRET, "--token", OTHER])
    sent = redaction.value(live)
    args = sent["spec"]["template"]["spec"]["containers"][0]["args"]
    sent["spec"]["template"]["spec"]["containers"][0]["args"] = [*args[2:], *args[:2]]
    assert back(sent, live) == deployment(args=["--token", OTHER, "--password", SECRET])


@pytest.mark.parametrize(
    "args",
    [
        ["--token", "{0}", "--password", "{1}"],
        ["--password", "--token", "{0}", "{1}"],
        ["{0}", "--password", "{1}", "--token"],
        ["--user", "{0}", "--token", "{1}"],
    ],
)
def test_R1_arguments_do_not_take_the_values_of_others(args: list[str]) -> None:
    live = deployment(args=["--password", SECRET, "--token", OTHER])
    sent = redaction.value(live)
    marks = sent["spec"]["template"]["spec"]["containers"][0]["args"][1::2]
    sent["spec"]["template"]["spec"]["containers"][0]["args"] = [each.format(*marks) for each in args]
    refused(sent, live)


def test_R1_a_mark_without_a_digest_needs_the_whole_field() -> None:
    row: dict[str, Any] = {
        "uid": "u",
        "type": "webhook",
        "settings": {"url": f"https://h.example.com/a/b/c?sig={SECRET}", "text": "a"},
    }
    sent: dict[str, Any] = redaction.value(row)
    assert redaction.HIDDEN in sent["settings"]["url"]
    sent["settings"]["text"] = "b"
    assert back(sent, row)["settings"] == {**row["settings"], "text": "b"}
    sent["settings"]["url"] = sent["settings"]["url"].replace("h.example", "evil.example") + "&x=1"
    refused(sent, row)
    refused({"a": redaction.HIDDEN}, {"a": "in the open"})
    refused({"a": redaction.HIDDEN}, None)


def test_R1_a_document_inside_a_text_is_read() -> None:
    live = config_map(**{"app.json": '{"db": {"password": "' + SECRET + '", "port": 80}}'})
    sent = redaction.value(live)
    sent["data"]["app.json"] = sent["data"]["app.json"].replace('"port": 80', '"port": 81')
    assert back(sent, live)["data"]["app.json"] == '{"db": {"password": "' + SECRET + '", "port": 81}}'


def test_R1_what_only_looks_like_a_mark_stays() -> None:
    live = config_map(readme="answers show [hidden] in place of a secret")
    sent = redaction.value(live)
    sent["data"]["more"] = "1"
    assert back(sent, live)["data"] == {**live["data"], "more": "1"}


@pytest.mark.parametrize("value", [12345678, {"a": 1}])
def test_R1_a_value_that_is_no_text_comes_back_as_it_was(value: Any) -> None:
    def thing(n: int) -> dict[str, Any]:
        spec = {"adminPassword": value, "secrets": {"x": value}, "n": n}
        return {"kind": "Thing", "metadata": {"name": "x"}, "spec": spec}

    sent = redaction.value(thing(1))
    sent["spec"]["n"] = 2
    assert back(sent, thing(1)) == thing(2)


OPERATIONS = redaction.restore_operations


def test_R1_operations_keep_what_stands_at_their_path() -> None:
    live = config_map(config=TEXT, password=SECRET)
    shown = redaction.value(live)["data"]
    kept = OPERATIONS([{"op": "replace", "path": "/data/password", "value": shown["password"]}], live, "patch")
    assert kept[0]["value"] == SECRET
    text = shown["config"].replace("port = 80", "port = 81")
    kept = OPERATIONS([{"op": "add", "path": "/data/config", "value": text}], live, "patch")
    assert kept[0]["value"] == TEXT.replace("port = 80", "port = 81")
    for operations in (
        [{"op": "add", "path": "/data/note", "value": shown["password"]}],
        [{"op": "test", "path": "/data/password", "value": shown["password"]}],
        [
            {"op": "remove", "path": "/data/password"},
            {"op": "add", "path": "/data/password", "value": shown["password"]},
        ],
        [{"op": "add", "path": "/data/[hidden]", "value": "x"}],
    ):
        with pytest.raises(ToolFailure):
            OPERATIONS(operations, live, "patch")


WORDS = st.sampled_from(("alpha", "beta", "port", "name2", "image", "mode", "host"))
SECRETS = st.sampled_from(("password", "apiKey", "token", "clientSecret", "DB_PASSWORD"))
VALUES = st.from_regex(r"[a-z]{3}[0-9]{3}[A-Z]{3}[a-z0-9]{4}", fullmatch=True)
PLAIN = st.one_of(st.integers(0, 99), st.sampled_from(("on", "off", "blue", "eu-west")), st.booleans())
LEAVES = st.one_of(
    PLAIN,
    st.builds(lambda name, value: f"mode = 1\n{name} = {value}\nlast = 2\n", SECRETS, VALUES),
    st.builds(lambda value: f"postgres://u:{value}@h/db", VALUES),
    st.builds(lambda value: ["--verbose", f"--token={value}", "--mode=1"], VALUES),
)


def fields(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.dictionaries(WORDS, children, max_size=4),
        st.builds(
            lambda rest, name, value: {**rest, name: value},
            st.dictionaries(WORDS, children, max_size=3),
            SECRETS,
            VALUES,
        ),
        st.lists(children, max_size=3),
        st.lists(st.tuples(SECRETS, VALUES), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: [{"name": name, "value": value} for name, value in pairs]
        ),
    )


SPECS = st.dictionaries(WORDS, st.recursive(LEAVES, fields, max_leaves=12), min_size=1, max_size=4)


def marked(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, str):
        return [path] if "[hidden" in node else []
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, item in pairs for found in marked(item, (*path, key))]


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


@given(SPECS, st.text("abc", min_size=1, max_size=5))
@settings(deadline=None)
def test_R1_any_object_comes_back_with_another_field_changed(spec: dict[str, Any], text: str) -> None:
    live = {"kind": "Thing", "metadata": {"name": "x", "namespace": "y"}, "spec": spec}
    sent = redaction.value(live)
    sent["spec"]["another"] = text
    assert back(sent, live) == {**live, "spec": {**spec, "another": text}}


@given(SPECS, st.data())
@settings(deadline=None)
def test_R1_a_mark_that_moves_is_refused(spec: dict[str, Any], data: st.DataObject) -> None:
    live = {"kind": "Thing", "metadata": {"name": "x", "namespace": "y"}, "spec": spec}
    sent = redaction.value(live)
    places = marked(sent)
    assume(places)
    origin = data.draw(st.sampled_from(places))
    mark = at(sent, origin)
    target = data.draw(st.sampled_from([("spec", "moved"), *(place for place in places if at(sent, place) != mark)]))
    moved = copy.deepcopy(sent)
    at(moved, target[:-1])[target[-1]] = mark
    refused(moved, live)
