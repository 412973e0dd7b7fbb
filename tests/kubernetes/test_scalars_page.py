"""The page of scalars is fresh; that kubectl reads the same is shown in `test_kubectl_reads`."""

from tests.kubernetes.scalars_page import PATH, text


def test_the_page_is_fresh() -> None:
    assert PATH.read_text() == text(), "run python -m tests.kubernetes.scalars_page"
