"""The index as this server's tools see it: every question is answered in a thread, one after the other."""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import anyio.to_thread

from kmcp_querydoc.index.reading import Index
from kmcp_querydoc.index.stemming import Stemmer
from kmcp_querydoc.search.question import Vocabulary
from kmcp_querydoc.search.reranking import Reranker
from kmcp_querydoc.settings import QuerydocSettings
from kmcp_querydoc.shelf import Shelf
from kmcp_runtime import Backend, Call

Answer = TypeVar("Answer")


class Documentation(Backend):
    """The open index with what is needed to search it."""

    def __init__(self, settings: QuerydocSettings) -> None:
        self._shelf = Shelf(settings)
        self._lock = threading.Lock()
        self.vocabulary = Vocabulary(Stemmer())
        self.reranker = Reranker() if settings.docs_rerank else None

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Documentation: self}

    async def ready(self) -> None:
        await self.query_index(lambda index: None)
        if self.reranker is not None:
            await anyio.to_thread.run_sync(self.reranker.load)

    async def query_index(self, question: Callable[[Index], Answer]) -> Answer:
        """Run a question on the index in a thread and return its answer, on the index as it is now.

        Raises `unavailable` when there is no index or it is damaged.
        """
        # In a thread, since a search is all CPU and SQLite: on the event loop it would hold up every other call.
        return await anyio.to_thread.run_sync(self._query, question)

    def _query(self, question: Callable[[Index], Answer]) -> Answer:
        # An SQLite connection and the stemmer's table serve one thread at a time.
        with self._lock:
            try:
                return question(self._shelf.index())
            except sqlite3.DatabaseError as error:
                raise self._shelf.broken(error) from None

    async def close(self) -> None:
        self._shelf.close()
        self.vocabulary.stemmer.close()


def open_backend(settings: QuerydocSettings) -> Documentation:
    return Documentation(settings)
