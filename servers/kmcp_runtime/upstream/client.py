"""Requests to one API, and its failures told."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from kmcp_runtime import answers, judging, worker
from kmcp_runtime.errors import ToolFailure, bad_argument, timed_out
from kmcp_runtime.judging import READS, Verdict, destroys, writes
from kmcp_runtime.tracing import routes
from kmcp_runtime.tracing.backend_requests import Target
from kmcp_runtime.upstream import failures
from kmcp_runtime.upstream.access import Access
from kmcp_runtime.upstream.failures import Refused
from kmcp_runtime.web import LARGEST_ANSWER, Answer, Timeouts, Unreachable, Web

Judge = Callable[[str, str], Verdict]
"""What a request does, by its method and its path below the base address."""
Explain = Callable[[Refused], ToolFailure]
"""Tells an error answer better than its status does; answers the failure itself where it knows nothing better."""


def judge_by_method(method: str, path: str) -> Verdict:
    """What is to be thought of a request when nothing more is known of the API."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return READS
    return (destroys if method == "DELETE" else writes)(f"{method} {path}")


class Upstream:
    """One API, called `backend` in errors (`prometheus`); `transport` is what tests put in place of the network.

    `promise` makes, of a path, the check of its answers that is asked when reading one fails.
    """

    def __init__(
        self,
        backend: str,
        access: Access,
        explain: Explain = lambda refused: refused,
        *,
        judge: Judge = judge_by_method,
        promise: Callable[[str], answers.Check] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.backend = backend
        self._judge = judge
        self._promise = promise
        self.access = access
        self._explain = explain
        self._web = Web(_timeouts(access.seconds), transport=transport, tls=access.tls)

    async def close(self) -> None:
        await self._web.close()

    @property
    def address(self) -> str:
        """The configured address as it may be shown."""
        return str(self.access.base())

    async def send(
        self,
        method: str,
        path: str,
        *,
        largest_bytes: int = LARGEST_ANSWER,
        seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        verdict: Verdict | None = None,
        **request: Any,
    ) -> Answer:
        """One request below the base address; `path` is percent-encoded and starts with `/`.

        `request` is `params`, `data` (a form) or `json` as httpx2 takes them. An answer of status 300 or more is a
        failure: `Refused`, or what `explain` makes of it. `seconds` is a deadline of its own for slow work.
        What may change something is judged before it leaves: by `verdict`, where the caller knows what it does.
        """
        judging.allow(verdict or self._judge(method, path))
        url = self._at(path)
        place = str(url.copy_with(query=None))
        sent = {"User-Agent": "kmcp-suite", **self.access.headers, **self.access.authorization(), **(headers or {})}
        try:
            answer = await self._web.send(
                method,
                url,
                largest_bytes=largest_bytes,
                shown_as=place,
                headers=sent,
                timeouts=_timeouts(seconds) if seconds else None,
                target=Target(self.backend, routes.upstream(path)),
                **request,
            )
        except ToolFailure as failure:
            raise self._told(failure, place) from None
        if answer.status >= 300:
            raise self._scrubbed(self._explain(failures.refused(answer, place, self.access, self.backend)))
        return answer

    async def read(self, method: str, path: str, **request: Any) -> Any:
        """The parsed JSON of an answer."""
        answer = await self.send(method, path, **request)
        try:
            return self.remembered(method, path, await worker.read_json(answer.content), len(answer.content))
        except ValueError as error:
            place = str(self._at(path).copy_with(query=None))
            raise self._scrubbed(failures.no_json(answer, place, self.access, self.backend, error)) from None

    def remembered(self, method: str, path: str, found: Any, size: int) -> Any:
        """The answer, of `size` bytes, which is looked at again should reading it fail."""
        if self._promise is not None:
            answers.remember(self.backend, f"{method} {path}", found, self._promise(path), size)
        return found

    def _at(self, path: str) -> httpx2.URL:
        base = self.access.base()
        # Joined as bytes: httpx2's own join would drop the prefix of the base at a path that starts with a slash.
        try:
            return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + path.encode("ascii"))
        except httpx2.InvalidURL as error:
            raise bad_argument(f"no address can be made of this: {error}", "send shorter arguments") from None

    def _told(self, failure: ToolFailure, place: str) -> ToolFailure:
        """A failure of the door with the next step that this API's configuration knows."""
        failure.backend = self.backend
        if isinstance(failure, Unreachable):
            failure.hint = failures.no_answer(failure.trouble, self.access)
        elif failure.code == "timed_out":
            hint = f"ask for less, or raise {self.access.set_in.timeout}"
            return timed_out(failure.message, hint, backend=self.backend)
        return self._scrubbed(failure)

    def _scrubbed(self, failure: ToolFailure) -> ToolFailure:
        failure.message = self.access.scrubbed(failure.message)
        return failure


def _timeouts(seconds: float) -> Timeouts:
    # A host that drops packets is found out after five seconds, however long an answer may take.
    return Timeouts(connect=min(5.0, seconds), read=seconds, whole=seconds)
