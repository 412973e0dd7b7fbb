"""G21: what the API server adds beyond a manifest, told from what was sent and from what was there."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kmcp_kubernetes.writing.additions import as_meant

keys = st.sampled_from(["a", "b", "c", "name"])
values = st.recursive(
    st.integers(0, 3) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)
manifests = st.dictionaries(keys, values, max_size=4)


def defaulted(node: Any) -> Any:
    """The same with a key more in every mapping."""
    if isinstance(node, dict):
        return {**{key: defaulted(value) for key, value in node.items()}, "default": {"by": "the server"}}
    return [defaulted(item) for item in node] if isinstance(node, list) else node


@given(sent=manifests)
def test_what_was_sent_is_all_that_is_left(sent: dict[str, Any]) -> None:
    assert as_meant(sent, None, defaulted(sent)) == sent


@given(sent=manifests, before=manifests)
def test_what_was_there_stays(sent: dict[str, Any], before: dict[str, Any]) -> None:
    after = {**before, **copy.deepcopy(sent)}
    assert as_meant(sent, before, after) == after


def test_other_values_and_more_items_are_shown() -> None:
    sent = {"image": "a", "containers": [{"name": "main"}], "metadata": {"labels": {}}}
    after = {
        "image": "registry/a",
        "containers": [{"name": "side", "image": "s"}, {"name": "main", "policy": "Always"}],
        "metadata": {"labels": {}, "uid": "1"},
    }
    meant = {**after, "containers": [{"name": "side", "image": "s"}, {"name": "main"}], "metadata": {"labels": {}}}
    assert as_meant(sent, None, after) == meant
    secret = {"stringData": {"word": "x"}}
    assert as_meant(secret, None, {"data": {"word": "eA=="}, "type": "Opaque"}) == {"data": {"word": "eA=="}}
