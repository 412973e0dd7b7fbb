"""Files, how they are merged, and what is in them that has another shape."""

import json

from tests.kubernetes.kubeconfigs.corpus.model import BEARER, TOKEN, Case, doc, one

FLOW = """\
contexts: [{name: x, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: '<tls>', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: t1}}]
"""
CONTEXT = doc(clusters=..., users=...)
CLUSTERS = doc(contexts=..., users=..., current=...)
USERS = doc(contexts=..., clusters=..., current=...)
TWO = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("production", "dev")]

FILES = [
    Case("three files that belong together", {"a": CONTEXT, "b": CLUSTERS, "c": USERS}, BEARER, kubeconfig="a:b:c"),
    Case(
        "the first file wins",
        {"a": doc({"token": "first"}), "b": doc({"token": "second"})},
        {"authorization": "Bearer first"},
        kubeconfig="a:b",
    ),
    Case(
        "the last current-context where the first has none",
        {"a": CLUSTERS, "b": USERS, "c": CONTEXT},
        BEARER,
        kubeconfig="a:b:c",
    ),
    Case("a file that is missing is passed over", {"a": doc()}, BEARER, kubeconfig="gone:a::"),
    Case("a file that is empty", {"a": "", "b": doc()}, BEARER, kubeconfig="a:b"),
    Case(
        "a file that is broken beside a good one",
        {"a": doc(), "b": "x: [\n"},
        refused=r"kubeconfig .*/b is not valid YAML, line 1",
        kubeconfig="a:b",
    ),
    Case(
        "paths are relative to their file",
        {
            "a": CONTEXT,
            "b": CLUSTERS,
            "sub/c": doc({"tokenFile": "mine"}, contexts=..., clusters=...),
            "sub/mine": "sub-token",
        },
        {"authorization": "Bearer sub-token"},
        kubeconfig="a:sub/c:b",
    ),
    Case("no file is there", {}, refused="kubeconfig .*gone does not exist", kubeconfig="gone"),
    one(
        "JSON",
        json.dumps(doc()),
        reaches=BEARER,
    ),
    one(
        "no current-context, two contexts",
        doc(contexts=TWO, current=...),
        refused="no context is chosen",
        departs="kubectl asks localhost:8080",
    ),
    one(
        "no current-context, one context",
        doc(current=...),
        refused="no context is chosen",
        departs="kubectl asks localhost:8080",
    ),
    one("a current-context that is absent", doc(current="gone"), refused="has no context 'gone'"),
    one("no contexts", doc(contexts=[]), refused="has no contexts"),
    one(
        "a broken user that nobody uses",
        doc(users=[{"name": "u", "user": TOKEN}, {"name": "v", "user": {"client-certificate": "gone"}}]),
        reaches=BEARER,
    ),
    one(
        "a context without a name beside a good one",
        doc(contexts=[{"context": {"cluster": "c"}}, {"name": "x", "context": {"cluster": "c", "user": "u"}}]),
        reaches=BEARER,
    ),
    one(
        "a name twice",
        doc(users=[{"name": "u", "user": TOKEN}, {"name": "u", "user": {"token": "t2"}}]),
        refused=r"users\[1\].name is 'u', as that of another",
    ),
    one(
        "contexts as a mapping",
        doc(contexts={"x": {"cluster": "c", "user": "u"}}),
        refused="contexts must be a list, and it is a mapping",
    ),
    one(
        "a token as a number", doc({"token": 123}), refused=r"users\[0\].user.token must be a text, and it is a number"
    ),
    one(
        "a flag as a text",
        doc(cluster={"insecure-skip-tls-verify": "true"}),
        refused="insecure-skip-tls-verify must be true or false, and it is a text",
    ),
    one(
        "a user as a text",
        doc(users=[{"name": "u", "user": "me"}]),
        refused=r"users\[0\].user must be a mapping, and it is a text",
    ),
    one("groups as a text", doc({**TOKEN, "as": "x", "as-groups": "a"}), refused="as-groups must be a list"),
    one("unknown fields", doc({**TOKEN, "colour": "red"}, wholly="new", preferences={"colors": True}), reaches=BEARER),
    one("fields in other case", doc({"Token": "t1"}), refused="has no credentials"),
    one("null in place of a section", doc(preferences=None, extensions=None), reaches=BEARER),
    one("another kind", doc(kind="Pod"), refused="kind is 'Pod', not Config"),
    one("another version", doc(apiVersion="v2"), refused="apiVersion is 'v2', not v1"),
    one("neither kind nor version", doc(kind=..., apiVersion=...), reaches=BEARER),
    one("a list", "- a\n", refused="is not a mapping"),
    one("a text", "hello\n", refused="is not a mapping"),
    one(
        "a key twice",
        f"current-context: gone\ncurrent-context: x\n{FLOW}",
        reaches=BEARER,
    ),
    one(
        "anchors",
        "current-context: x\nx: &ca ca.crt\n" + FLOW.replace("ca.crt", "*ca"),
        reaches=BEARER,
    ),
]
