"""Objects that are cut between their leaves: whatever their shape, the parts are the whole."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kmcp_runtime.helm import values
from kmcp_runtime.output import trees

KEYS = st.text(min_size=1, max_size=4)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=20,
    ),
    max_size=5,
)


@given(tree=TREES, at=st.integers(min_value=0, max_value=20))
def test_leaves_are_the_whole_and_each_is_on_one_page(tree: dict[str, Any], at: int) -> None:
    found = list(trees.leaves(tree))
    assert trees.built(found) == tree
    shown = trees.Tree(tree, skipped=at).render(lambda node: node)
    first, rest = trees.built(found[:at]), [value for _, value in trees.leaves(shown)] if shown else []
    kept = [value for _, value in trees.leaves(first)] if first else []
    assert kept + rest == [value for _, value in found if found != [((), {})]]


@given(tree=TREES)
def test_a_written_path_leads_back_to_its_leaf(tree: dict[str, Any]) -> None:
    for path, value in trees.leaves(tree):
        if path:
            steps = values.steps(trees.written(path), "path")
            assert tuple(steps) == path
            values.check_path(tree, "", steps)
            below = [leaf for _, leaf in trees.leaves(trees.Tree(tree, steps).render(lambda node: node))]
            assert below == [value]
