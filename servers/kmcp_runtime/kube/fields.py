"""Fields of a document that others wrote, typed as Go's decoder types them; a fault names the file and the field.

A field that is absent or null is empty. One of another type is a fault, also where nobody would have asked for it.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from kmcp_runtime.errors import ToolFailure, unavailable

_NAMES = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}


class Fields:
    """A mapping inside the file `file`; `path` is where, empty at the top."""

    def __init__(self, content: Mapping[str, Any], file: str, path: str = "") -> None:
        self._content = content
        self.file = file
        self.path = path

    def where(self, key: str) -> str:
        """The field in words that a person finds it by: `kubeconfig /home/me/.kube/config: users[0].user.token`."""
        return f"kubeconfig {self.file}: {self._at(key)}"

    def fault(self, key: str, problem: str, hint: str | None = None) -> ToolFailure:
        return unavailable(f"{self.where(key)} {problem}", hint or "correct the kubeconfig")

    def text(self, key: str) -> str:
        found: str = self._typed(key, str, "")
        return found

    def flag(self, key: str) -> bool:
        found: bool = self._typed(key, bool, False)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._typed(key, list, [])
        for number, item in enumerate(found):
            if item is not None and not isinstance(item, str):
                raise self._wrong(f"{key}[{number}]", item, str)
        return tuple(item or "" for item in found)

    def data(self, key: str) -> bytes:
        """The bytes of a field that holds base64."""
        # Go's decoder passes over line breaks, and over nothing else.
        encoded = self.text(key).replace("\r", "").replace("\n", "")
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise self.fault(key, "is not valid base64") from None

    def section(self, key: str) -> "Fields":
        """The mapping under a key; an empty one where there is none."""
        return Fields(self._typed(key, dict, {}), self.file, self._at(key))

    def has(self, key: str) -> bool:
        return self._content.get(key) is not None

    def raw(self, key: str) -> Any:
        return self._content.get(key)

    def sections(self, key: str) -> Iterator["Fields"]:
        """The mappings of a list."""
        for number, item in enumerate(self._typed(key, list, [])):
            if item is not None and not isinstance(item, dict):
                raise self._wrong(f"{key}[{number}]", item, dict)
            yield Fields(item or {}, self.file, self._at(f"{key}[{number}]"))

    def keys(self) -> Iterator[str]:
        return iter(self._content)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _typed(self, key: str, wanted: type, empty: Any) -> Any:
        found = self._content.get(key)
        if found is None:
            return empty
        if not isinstance(found, wanted):
            raise self._wrong(key, found, wanted)
        return found

    def _wrong(self, key: str, found: Any, wanted: type) -> ToolFailure:
        # Never the value: it may be a credential.
        problem = f"must be {_NAMES[wanted]}, and it is {_NAMES.get(type(found), type(found).__name__)}"
        return self.fault(
            key, problem, "write it in quotes" if wanted is str and type(found) in (int, float, bool) else None
        )
