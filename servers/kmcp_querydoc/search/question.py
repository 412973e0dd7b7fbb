"""The words of a question: what documentation may call each, and how much it says about the subject."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import pairwise

from kmcp_querydoc.index.stemming import Stemmer

_WORD = re.compile(r"[^\W_]+(?:[_.:/-]+[^\W_]+)*")
_PARTS = re.compile(r"[^\W_]+")
MOST_WORDS = 48
"""Of a question; what follows adds little and would cost time."""
SYNONYM = 0.5
"""What a synonym counts beside the word itself."""
WEAK = 0.3
"""What a word counts that is in every other question and says little about its subject."""
JOINED = 0.4
"""What two neighbouring words count when documentation writes them as one: `roll back`."""
PART = 0.5
"""What the parts of a name count beside the whole name."""
STOP_WORDS = frozenset(
    """a an the of to in on at for from by with and or not is are was were be been it its this that these those i me my
    we our you your he she they them do does did how what when where which who why can could should would will shall may
    might must have has had get gets got as if then than so no yes there here into out up down over under again any some
    all each am im s t re ve themselves itself yourself himself cannot please""".split()  # noqa: SIM905  # a list of words reads as words
)
WEAK_WORDS = frozenset(
    """keep keeps find see put take use want need go goes come make makes happen happens tried look know tell say think
    work give let help thing things something anything way really still always never often only just also even more most
    much many too very few lot bit now already once later before after while during until since without within between
    instead other another different same certain own whole first last next new old good bad wrong right big small huge
    long short fast quickly someone everybody people wont""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Sought:
    """One thing that is asked for: a word or name, and what else it may be called, each with what that counts."""

    text: str
    """As it was asked."""
    main: str
    """The form of it that is looked for first: its words, with blanks between them."""
    weight: float
    forms: Mapping[str, float]
    is_guess: bool = False
    """Made here of two words: of no weight where documentation never writes it."""

    def with_forms(self, forms: Mapping[str, float]) -> "Sought":
        known = {" ".join(parts(form)): share for form, share in forms.items()}
        return replace(self, forms={**known, **self.forms})


def words(question: str) -> list[str]:
    """Words and names, in lower case; every sign of the full-text syntax is only what stands between them."""
    return [found.lower() for found in _WORD.findall(question)][:MOST_WORDS]


def parts(name: str) -> list[str]:
    """The words of a name, as the full-text index has them."""
    return _PARTS.findall(name)


class Vocabulary:
    """What words mean to an operator: which say little, and what documentation calls the others."""

    def __init__(self, stemmer: Stemmer) -> None:
        self.stemmer = stemmer
        self._weak = {self._stem(word) for word in WEAK_WORDS}
        self._synonyms: dict[str, list[str]] = {}
        for line in files("kmcp_querydoc.search").joinpath("synonyms.txt").read_text().splitlines():
            self._learn(line.partition("#")[0].strip())

    def sought(self, question: str) -> list[Sought]:
        """What the question asks for; of stop words alone, those."""
        found = words(question)
        telling = [word for word in found if word not in STOP_WORDS] or found
        things = {thing.text: thing for word in telling for thing in self._things(word)}
        for one, other in pairwise(telling):
            joined = f"{one}{other}"
            things.setdefault(joined, Sought(joined, joined, JOINED, self._forms(joined), is_guess=True))
        return list(things.values())

    def _things(self, word: str) -> Iterable[Sought]:
        pieces = parts(word)
        main = " ".join(pieces)
        weight = WEAK if self._stem(word) in self._weak else 1.0
        yield Sought(word, main, weight, self._forms(main))
        if len(pieces) > 1:
            yield from (Sought(part, part, PART, self._forms(part)) for part in pieces if part not in STOP_WORDS)

    def _forms(self, text: str) -> Mapping[str, float]:
        own = self._stem(text)
        others = self._synonyms.get(own, ())
        return {text: 1.0} | {other: SYNONYM for other in others if self._stem(other) != own}

    def _learn(self, line: str) -> None:
        """`said > written …`, or `a = b …` in every direction."""
        # `>` is one-way: a user says `crash` and finds `CrashLoopBackOff`, but not the reverse.
        way = "=" if "=" in line else ">"
        said, _, written = line.partition(way)
        group = [said.strip(), *written.split()]
        for word in group if way == "=" else group[:1]:
            if word:
                known = self._synonyms.setdefault(self._stem(word), [])
                known += [other for other in group if other != word and other not in known]

    def _stem(self, word: str) -> str:
        return self.stemmer.stem(word)
