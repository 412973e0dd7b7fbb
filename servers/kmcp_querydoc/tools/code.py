"""Search in source code, where an index holds some."""

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from kmcp_querydoc.arguments import OLD_NAMES, ProductName, Query
from kmcp_querydoc.client import Documentation
from kmcp_querydoc.index.reading import Index, Passage, Product, Within
from kmcp_querydoc.scope import scope
from kmcp_querydoc.search import question
from kmcp_runtime import Effect, Page, not_found, tool

CANDIDATES = 100
_Suffix = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^\.?[A-Za-z0-9_+-]+$")]


class Code(BaseModel):
    path: str
    repo: str
    branch: str
    lines: str = Field(description="As 56-115")
    url: str
    score: float = Field(description="0 to 1: share of the question's words that are in it")
    content: str


class CodeFound(Page[Code]):
    """The best pieces of source files, best first."""


@tool(Effect.READ, open_world=False, extra=True, renamed=OLD_NAMES, when="the index holds source code")
async def query_code(
    docs: Documentation,
    query: Query,
    product_name: ProductName = None,
    repo: Annotated[str | None, "Repository", Field(max_length=300)] = None,
    branch: Annotated[str | None, "Branch or tag", Field(max_length=300)] = None,
    path_prefix: Annotated[str | None, "Only files below", Field(max_length=500)] = None,
    extensions: Annotated[list[_Suffix] | None, "As go, py", Field(max_length=20)] = None,
    limit: Annotated[int, "Most pieces", Field(ge=1, le=20)] = 4,
) -> CodeFound:
    """Search indexed source code by words and names; use it for questions that documentation does not answer."""
    within = Within(path_prefix or "", tuple(extensions or ()))
    return await docs.query_index(
        lambda index: _found(index, query, _products(index, product_name, repo, branch), within, limit)
    )


def _products(index: Index, product_name: str | None, repo: str | None, branch: str | None) -> list[Product]:
    """Of every version: a branch is one."""
    named = {each.name for each in scope(index, product_name, None, code=True)}
    there = [each for each in index.products if each.code and each.name in named]
    found = [
        each
        for each in there
        if (repo is None or _is_repo(_origin(each)[0], repo)) and branch in (None, _origin(each)[1])
    ]
    if not found:
        known = "; ".join(sorted({" ".join(_origin(each)) for each in there})) or "none"
        raise not_found(
            f"no such repository or branch in this index: {repo or ''} {branch or ''}", f"there are: {known}"
        )
    return found


def _is_repo(there: str, wanted: str) -> bool:
    plain = wanted.strip().removesuffix(".git").rstrip("/")
    return there == plain or there.endswith(f"/{plain}")


def _origin(product: Product) -> tuple[str, str]:
    """Repository and branch of the source that the product was built from."""
    source = json.loads(product.source)
    place = source.get("git") or (source.get("module") or "").partition("@")[0] or source.get("folder") or ""
    return place.removesuffix(".git").rstrip("/"), source["ref"] if source.get("git") else product.version


def _found(index: Index, query: str, products: Sequence[Product], within: Within, limit: int) -> CodeFound:
    words = [word for word in question.words(query) if word not in question.STOP_WORDS] or question.words(query)
    # Phrases: the index splits `max_samples` into two words, and only side by side do they mean the name.
    match = " OR ".join(f'"{" ".join(question.parts(word))}"' for word in dict.fromkeys(words))
    numbers = index.candidates("code_words", match, products, CANDIDATES, within) if match else []
    by_number = {product.number: product for product in products}
    scored = sorted(
        ((_share(passage, words), passage) for passage in index.passages(numbers)), key=lambda pair: -pair[0]
    )
    items = [_item(score, passage, by_number[passage.product]) for score, passage in scored[:limit]]
    hint = None if items else "Nothing matches: search for a name as code writes it, or with fewer filters."
    return CodeFound(items=items, truncated=len(scored) > limit, hint=hint)


def _share(passage: Passage, words: Sequence[str]) -> float:
    text = f"{passage.path}\n{passage.content}".lower()
    return round(sum(word in text for word in words) / len(words), 4)


def _item(score: float, passage: Passage, product: Product) -> Code:
    repo, branch = _origin(product)
    last = passage.first_line + passage.content.count("\n")
    return Code(
        path=passage.path,
        repo=repo,
        branch=branch,
        lines=f"{passage.first_line}-{last}",
        url=passage.url,
        score=score,
        content=passage.content,
    )
