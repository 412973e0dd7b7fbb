"""Types of arguments that several tools of this server take."""

from typing import Annotated

from pydantic import AfterValidator, Field

from kmcp_runtime import check_name


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _name(value: str | None) -> str | None:
    """A product's name, which is looked up and never opened; blanks are allowed, a path is not."""
    if value is not None:
        check_name(value.strip().replace(" ", "-"))
    return value


Query = Annotated[str, AfterValidator(_text), "Question or keywords", Field(max_length=1000)]
ProductName = Annotated[str | None, AfterValidator(_name), "Product; none = all"]
Version = Annotated[str | None, "None = newest", Field(max_length=100)]
OLD_NAMES = {
    "queryText": "query",
    "productName": "product_name",
    "dbName": "product_name",
    "urlPathPrefix": "url_prefix",
    "filePath": "url",
    "file_path": "url",
    "filePathPrefix": "path_prefix",
    "startIndex": "start_index",
    "endIndex": "end_index",
}
"""The names of arguments in older documentation servers, whose callers should keep working."""
