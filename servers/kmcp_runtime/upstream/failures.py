"""What an answer that is none means, told once for every API: the address, the status, its words, and what to set."""

import json
import re
from typing import Any

import httpx2

from kmcp_runtime import json_text
from kmcp_runtime.errors import Code, ToolFailure, unavailable
from kmcp_runtime.upstream.access import Access
from kmcp_runtime.web import Answer, Trouble

_CODES: dict[int, Code] = {
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    408: "timed_out",
    409: "conflict",
    410: "not_found",
    412: "conflict",
    413: "too_large",
    429: "unavailable",
    504: "timed_out",
}
_WORDS = ("message", "error", "detail", "reason", "title")
_LONGEST = 500
_MOST_DIGITS = 6
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Refused(ToolFailure):
    """An answer of status 300 or more, kept for a server that knows its API's errors better."""

    def __init__(self, answer: Answer, place: str, code: Code, message: str, hint: str | None, backend: str) -> None:
        super().__init__(code, message, hint, backend=backend)
        self.answer = answer
        self.place = place
        """The address that was asked, without userinfo and query."""

    @property
    def status(self) -> int:
        return self.answer.status


def refused(answer: Answer, place: str, access: Access, backend: str) -> Refused:
    """The failure behind an answer of status 300 or more."""
    if answer.status < 400:
        return _redirected(answer, place, access, backend)
    # A 4xx that the table does not name is about what was sent, a 5xx about the backend.
    fallback: Code = "unavailable" if answer.status >= 500 else "bad_argument"
    words = said(answer)
    message = f"{place} answered HTTP {answer.status}" + (f": {words}" if words else "")
    return Refused(answer, place, _CODES.get(answer.status, fallback), message, _hint(answer, access), backend)


def said(answer: Answer) -> str:
    """The API's own words in an error: a field of its JSON, the title of a page, or the beginning of its text."""
    if is_page(answer):
        return f"a web page{_titled(answer)}, not the API: a proxy or login page stands before it"
    try:
        parsed: Any = json_text.read(answer.content)
    except ValueError:
        return _one_line(answer.text)
    fields = parsed if isinstance(parsed, dict) else {}
    found = next((fields[word] for word in _WORDS if isinstance(fields.get(word), str) and fields[word]), None)
    return _one_line(found if found is not None else answer.text)


def is_page(answer: Answer) -> bool:
    # The header alone is not enough: a page may come without a type, or with that of the API.
    beginning = answer.content[:200].lstrip().lower()
    return "html" in answer.headers.get("content-type", "") or beginning.startswith((b"<!doctype html", b"<html"))


def no_json(answer: Answer, place: str, access: Access, backend: str, error: ValueError) -> ToolFailure:
    """The failure behind a successful answer that cannot be read."""
    if is_page(answer):
        return unavailable(
            f"{place} answered HTTP {answer.status} with {said(answer)}",
            f"check {access.set_in.url} (a path prefix missing?) and {access.set_in.credentials}",
            backend=backend,
        )
    if _is_half(answer.text.strip(), error):
        told = f"{place} answered only half: its JSON ends after {len(answer.content)} bytes"
        return unavailable(told, "try again; a proxy in between may cut answers off", backend=backend)
    told = f"{place} answered no JSON: {_one_line(answer.text)[:100]!r}"
    return unavailable(told, f"check {access.set_in.url}", backend=backend)


def _is_half(text: str, error: ValueError) -> bool:
    """Whether it is the beginning of JSON: nothing, no closing bracket at its end, or a reader that ran out there."""
    unclosed = not text or (text[0] in "{[" and text[-1] not in "}]")
    return unclosed or (isinstance(error, json.JSONDecodeError) and error.pos >= len(text) - 1)


def no_answer(trouble: Trouble, access: Access) -> str:
    """The next step when there was no answer."""
    where = access.set_in
    return {
        "address": f"check {where.url}",
        "refused": f"is it running? The address is set in {where.url}",
        "name": f"check the host in {where.url}",
        "certificate": f"set {where.tls} to what its certificate needs; is {where.url} of the right scheme?",
        "cut": "try again; a proxy in between may cut answers off",
        "network": f"check the network and {where.url}",
    }[trouble]


def _redirected(answer: Answer, place: str, access: Access, backend: str) -> Refused:
    told = f"{place} answered HTTP {answer.status}, a redirect to {_target(answer)}, which is not followed"
    hint = (
        f"set {access.set_in.url} to the final address; a redirect to a login page asks for {access.set_in.credentials}"
    )
    return Refused(answer, place, "unavailable", told, hint, backend)


def _target(answer: Answer) -> str:
    """Where a redirect leads, without what may be secret in it."""
    try:
        target = httpx2.URL(answer.headers.get("location", ""))
    except (httpx2.InvalidURL, ValueError):
        return "no valid address"
    # A login page gets the original address and often a one-time state in its query.
    return str(target.copy_with(userinfo=b"", query=None, fragment=None)) or "nowhere"


def _hint(answer: Answer, access: Access) -> str | None:
    where = access.set_in
    if answer.status == 401:
        return f"set or renew {where.credentials}"
    if answer.status == 403:
        return f"the identity of {where.credentials} lacks the right"
    if answer.status == 404:
        return f"check the path in {where.url}"
    # Seconds; the other form of this header is a date, which would need the server's clock.
    seconds = answer.headers.get("retry-after", "").strip()
    again = f"try again in {seconds} s" if seconds.isdecimal() and len(seconds) <= _MOST_DIGITS else "try again later"
    if answer.status == 429:
        return f"it is limiting requests: {again}"
    if answer.status == 504:
        return f"ask for less, or raise {where.timeout}"
    return again if answer.status >= 500 else None


def _titled(answer: Answer) -> str:
    match = _TITLE.search(answer.text)
    title = _one_line(match[1]) if match else ""
    return f" titled {title!r}" if title else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]
