"""The answer of a search, and citations that still lead to the chunk after a later build."""

import hashlib
from collections.abc import Sequence

from pydantic import BaseModel, Field

from kmcp_querydoc.client import Documentation
from kmcp_querydoc.index.reading import Index, Passage, Product, Within
from kmcp_querydoc.scope import named, scope
from kmcp_querydoc.search.ranking import Ranked, ranked
from kmcp_querydoc.search.reranking import LOOKED_AT
from kmcp_runtime import Page

WEAK_SCORE = 0.3


class Neighbour(BaseModel):
    index: int
    content: str


class ChunkPlace(BaseModel):
    id: str = Field(description="Stays the same as long as product, page and text do")
    index: int = Field(description="For get_chunks")
    of: int


class Answer(BaseModel):
    title: str
    heading_path: str
    url: str
    product: str
    version: str
    score: float = Field(description="0 to 1: share of the question that is answered")
    citation: str = Field(description="Stable; get_chunks takes it")
    chunk: ChunkPlace
    content: str
    neighbours: list[Neighbour] | None = None


class Answers(Page[Answer]):
    """The best chunks, best first."""


class Search:
    """One search, as `query_documentation` asks for it."""

    def __init__(
        self,
        docs: Documentation,
        query: str,
        product: str | None,
        version: str | None,
        prefix: str | None,
        neighbours: int,
        limit: int,
    ) -> None:
        self._docs, self._query, self._limit, self._neighbours = docs, query, limit, neighbours
        self._product, self._version = product, version
        self._within = Within(prefix) if prefix else None

    def run(self, index: Index) -> Answers:
        products = scope(index, self._product, self._version)
        # One more than asked for shows whether there are more; the reranker needs a wider choice to have an effect.
        most = max(self._limit + 1, LOOKED_AT if self._docs.reranker else 0)
        found = ranked(index, self._docs.vocabulary, self._query, products, most, self._within) if products else []
        passages = index.passages([one.number for one in found])
        if self._docs.reranker:
            found, passages = self._reranked(found, passages)
        by_number = {product.number: product for product in products}
        items = [
            self._answer(index, one, passage, by_number[passage.product])
            for one, passage in zip(found[: self._limit], passages, strict=False)
        ]
        result = Answers(items=items, truncated=len(found) > self._limit)
        result.hint = self._hint(index, found, products)
        return result

    def _reranked(self, found: list[Ranked], passages: list[Passage]) -> tuple[list[Ranked], list[Passage]]:
        assert self._docs.reranker is not None
        by_number = {passage.number: passage for passage in passages}
        # The headings too: a chunk often names its subject only there.
        texts = [f"{passage.title}. {' '.join(passage.headings)}. {passage.content}" for passage in passages]
        found = self._docs.reranker.ranked(self._query, found, texts)
        return found, [by_number[one.number] for one in found]

    def _answer(self, index: Index, one: Ranked, passage: Passage, product: Product) -> Answer:
        return Answer(
            title=passage.title,
            heading_path=" > ".join(passage.headings),
            url=address(passage),
            product=product.name,
            version=product.version,
            score=one.score,
            citation=citation(passage, product),
            chunk=ChunkPlace(id=identity(passage, product), index=passage.position, of=passage.of),
            content=passage.content,
            neighbours=self._around(index, passage) or None,
        )

    def _around(self, index: Index, passage: Passage) -> list[Neighbour]:
        if not self._neighbours:
            return []
        # Neighbours may reach beyond the page's ends; the index answers with those that exist.
        around = index.page(passage.page, passage.position - self._neighbours, passage.position + self._neighbours)
        return [
            Neighbour(index=each.position, content=each.content) for each in around if each.number != passage.number
        ]

    def _hint(self, index: Index, found: Sequence[Ranked], products: Sequence[Product]) -> str | None:
        if found and found[0].score >= WEAK_SCORE:
            return None
        narrowed = ", ".join(
            name
            for name, given in (
                ("product_name", self._product),
                ("version", self._version),
                ("url_prefix", self._within),
            )
            if given
        )
        wider = f" or leave {narrowed} out" if narrowed else ""
        what = "Only weak matches" if found else "Nothing matches"
        return f"{what}: use the words that the documentation uses{wider}. This index has {named(index.products)}."


def address(passage: Passage) -> str:
    return f"{passage.url}#{passage.anchor}" if passage.anchor else passage.url


def citation(passage: Passage, product: Product) -> str:
    """`product@version:path#anchor`: where it is, whatever a site does to its addresses."""
    place = f"{product.name}@{product.version}:{passage.path}"
    return f"{place}#{passage.anchor}" if passage.anchor else place


def identity(passage: Passage, product: Product) -> str:
    # Positions and row numbers change from build to build, the content of a chunk seldom.
    text = f"{product.name}\0{product.version}\0{passage.path}\0{passage.content}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]
