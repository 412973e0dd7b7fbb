"""A project is deployed where the controller's tests have their controllers."""

from tests.controller.conftest import api, definition, driver

__all__ = ["api", "definition", "driver"]
