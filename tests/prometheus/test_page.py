"""The page of the documentation that shows this server's parser beside Prometheus' own."""

from tests.prometheus import page, upstream


def test_the_page_is_current(binaries: object) -> None:
    assert page.PATH.read_text() == page.text(upstream.build()), "run python -m tests.prometheus.page"
