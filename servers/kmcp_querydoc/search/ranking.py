"""Which chunks answer best: the full-text index proposes candidates, and those are scored word by word.

The score is BM25F: matches in titles and headings count more, and matches of one word in several fields or forms are
one match, so that neither a synonym nor a repeated heading outweighs a second word of the question. A chunk gains from
what the rest of its page says about the other words. Each further chunk of a page counts less, so that an answer
does not consist of one page.
"""

import difflib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from kmcp_querydoc.index.reading import Index, Product, Stemmed, Within
from kmcp_querydoc.index.stemming import Stemmer, joined
from kmcp_querydoc.search.question import Sought, Vocabulary

FIELD_WEIGHTS = (5.0, 5.0, 1.0)
LENGTH_INFLUENCE = (0.5, 0.5, 0.5)
SATURATION = 2.6
PAGE_SHARE = 0.3
"""What the rest of the page adds."""
NEXT_OF_PAGE = 0.5
"""What a chunk counts after each one of its page that is before it."""
CANDIDATES = 60
COMMON = 0.3
"""A form in more than this share of the chunks finds no candidates; it still counts in their scores."""
MOST_MATCHES = 6_000
"""Matches that are looked through for candidates, those of rare forms first: what bounds the time of a question."""
OWN_NAME = 0.3
"""What the name of the only product that is searched counts: every page of it has that."""
UNKNOWN = 0.5
"""What a word counts that no chunk has, in any form: the less is answered without it."""
LEAST = 0.09
"""Of the score that a chunk with every word of the question could have: below it, a chunk is no answer."""
_CLOSE = 0.75
_NEAR = 0.8
"""What a name counts that is only like the word of the question."""


@dataclass(frozen=True)
class Ranked:
    number: int
    score: float
    """From 0 to 1, the share of the best possible."""


@dataclass(frozen=True)
class _Term:
    weight: float
    forms: Mapping[str, float]
    """Stems as they are in a candidate's fields, and what the form counts."""
    is_name: bool
    """Of several words, which may be there without being anywhere side by side."""


def ranked(
    index: Index,
    vocabulary: Vocabulary,
    question: str,
    products: Sequence[Product],
    most: int,
    within: Within | None = None,
) -> list[Ranked]:
    """The best chunks of these products, best first."""
    stemmer = vocabulary.stemmer
    things = _with_near_names(index, stemmer, vocabulary.sought(question), products)
    stems = _stemmed_forms(stemmer, things)
    frequencies = index.frequencies(products, [stem for form in stems.values() for stem in form])
    size = max(sum(product.chunks for product in products), 1)
    match = _match(things, stems, frequencies, size)
    if not match:
        return []
    found = index.stemmed(index.candidates("words", match, products, CANDIDATES, within))
    own = {stem for name in _own_name(products) for stem in stemmer.stems([name])[0]}
    terms = [term for thing in things if (term := _term(thing, stems, frequencies, size, own))]
    return _best(found, terms, index.average, most)


def _own_name(products: Sequence[Product]) -> tuple[str, ...]:
    names = {product.name for product in products}
    return (names.pop().replace("-", " "),) if len(names) == 1 else ()


def _stemmed_forms(stemmer: Stemmer, things: Sequence[Sought]) -> dict[str, list[str]]:
    forms = list(dict.fromkeys(form for thing in things for form in thing.forms))
    return dict(zip(forms, stemmer.stems(forms), strict=True))


def _rarity(stems: Sequence[str], frequencies: Mapping[str, int]) -> int:
    """In how many chunks a form can be at most: in as many as its rarest word."""
    return min((frequencies.get(stem, 0) for stem in stems), default=0)


def _match(things: Sequence[Sought], stems: Mapping[str, list[str]], frequencies: Mapping[str, int], size: int) -> str:
    """The query for candidates: any of the forms that are there, without those that nearly every chunk has."""
    counts = {form: _rarity(stems[form], frequencies) for thing in things for form in thing.forms}
    there = sorted((count, form) for form, count in counts.items() if count)
    telling = [(count, form) for count, form in there if count <= COMMON * size] or there
    matches = list(accumulate(count for count, _ in telling))
    chosen = [form for (_, form), total in zip(telling, matches, strict=True) if total <= MOST_MATCHES]
    return " OR ".join(f'"{form}"' for form in chosen or [form for _, form in telling[:1]])


def _term(
    thing: Sought, stems: Mapping[str, list[str]], frequencies: Mapping[str, int], size: int, own: set[str]
) -> _Term | None:
    """What a thing weighs, by how rare it is; two words written as one count only where documentation does so."""
    known = {form: weight for form, weight in thing.forms.items() if _rarity(stems[form], frequencies)}
    count = _rarity(stems[thing.main], frequencies)
    if thing.is_guess and not count:
        return None
    # The idf of BM25, in the form that never becomes negative (as Lucene has it).
    weight = thing.weight * math.log(1 + (size - count + 0.5) / (count + 0.5))
    if own.issuperset(stems[thing.main]):
        weight *= OWN_NAME
    weight *= 1.0 if known else UNKNOWN
    is_name = len(stems[thing.main]) > 1
    return _Term(weight, {joined(stems[form]): share for form, share in known.items()}, is_name)


def _best(found: Sequence[Stemmed], terms: Sequence[_Term], average: Sequence[float], most: int) -> list[Ranked]:
    terms = [term for term in terms if not term.is_name or any(_part(each, term, average) for each in found)]
    possible = sum(term.weight for term in terms) * (1 + PAGE_SHARE)
    parts = {each.number: [_part(each, term, average) for term in terms] for each in found}
    pages: dict[int, list[float]] = {}
    for each in found:
        best = pages.setdefault(each.page, [0.0] * len(terms))
        pages[each.page] = [max(pair) for pair in zip(best, parts[each.number], strict=True)]
    scores = {each.number: sum(parts[each.number]) + PAGE_SHARE * sum(pages[each.page]) for each in found}
    taken: dict[int, int] = defaultdict(int)
    ranked: list[Ranked] = []
    # The number breaks ties, so that the same question always has the same answer.
    for each in sorted(found, key=lambda one: (-scores[one.number], one.number)):
        score = scores[each.number] * NEXT_OF_PAGE ** taken[each.page] / possible
        taken[each.page] += 1
        ranked.append(Ranked(each.number, round(score, 4)))
    return sorted((one for one in ranked if one.score >= LEAST), key=lambda one: -one.score)[:most]


def _part(each: Stemmed, term: _Term, average: Sequence[float]) -> float:
    present = [(form, share) for form, share in term.forms.items() if form in each.whole]
    if not present:  # most words are in few candidates
        return 0.0
    matches = 0.0
    for field, weight, influence, usual in zip(each.fields, FIELD_WEIGHTS, LENGTH_INFLUENCE, average, strict=True):
        count = sum(field.count(form) * share for form, share in present)
        if count:
            # Each stem stands between two blanks, so half of the blanks is the number of stems.
            matches += weight * count / (1 - influence + influence * field.count(" ") / 2 / max(usual, 1.0))
    return term.weight * matches / (SATURATION + matches)


def _with_near_names(
    index: Index, stemmer: Stemmer, things: Sequence[Sought], products: Sequence[Product]
) -> list[Sought]:
    """Words that no chunk has are matched with the known names: they may be shortened or misspelt."""
    stems = _stemmed_forms(stemmer, things)
    frequencies = index.frequencies(products, [stem for form in stems.values() for stem in form])
    return [
        thing if thing.is_guess or _rarity(stems[thing.main], frequencies) else thing.with_forms(_near(index, thing))
        for thing in things
    ]


def _near(index: Index, thing: Sought) -> dict[str, float]:
    if len(thing.text) < 4:
        return {}
    # First names that contain the word (a shortened name), then names that resemble it (a typing error).
    found = index.names_holding(thing.text, 5)
    if not found:
        found = difflib.get_close_matches(thing.text, index.names_like(thing.text, 40), n=3, cutoff=_CLOSE)
    return dict.fromkeys(found, _NEAR)
