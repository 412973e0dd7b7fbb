"""The chart, rendered by helm."""

from pathlib import Path

import pytest

from tests.chart.rendering import Chart


@pytest.fixture
def chart(helm: Path) -> Chart:
    return Chart(helm)
