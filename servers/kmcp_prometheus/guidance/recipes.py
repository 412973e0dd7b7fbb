"""Expressions for what exporters that everybody runs measure, and whose meaning their names do not tell.

A recipe is PromQL for each series; groups, values of labels, windows, limits and ranking come from the description.
"""

import re
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from pydantic import TypeAdapter

from kmcp_prometheus.promql import trees
from kmcp_prometheus.promql.intent import Intent
from kmcp_prometheus.promql.parser import parse
from kmcp_runtime import read_yaml


@dataclass(frozen=True)
class Recipe:
    """What words ask for it, and what it computes."""

    wanted: tuple[str, ...]
    """Each of these expressions has to be found in the description."""
    query: str
    why: str
    but: str = r"(?!)"
    """What must not be found."""
    op: str = "sum"
    """How series are put together when groups are asked for."""
    groups: tuple[str, ...] = ()
    """The groups where the description names none."""
    flag: bool = False
    """Whether its values are 0 and 1, and the 1 is looked for."""
    share: bool = False
    """Whether its values are shares, though it is no quotient."""

    def metrics(self) -> list[str]:
        return [selector.metric for selector in trees.selectors(parse(self.query))]

    def scale(self) -> Literal["share", "seconds", "other"]:
        """What its values are: a recipe that divides tells shares."""
        if self.share or " / " in self.query or self.query.startswith("1 - "):
            return "share"
        return "seconds" if "time()" in self.query else "other"

    def explains(self, stemmed: str) -> bool:
        """Whether a word of a description, without its ending, is one that the recipe asks for."""
        return any(re.search(rf"\b{re.escape(stemmed)}", words) or re.search(words, stemmed) for words in self.wanted)

    def fits(self, intent: Intent, known: frozenset[str]) -> bool:
        share = ("percent",) if intent.bound and intent.bound.unit == "%" else ()
        text = " ".join((intent.text, *share, *intent.grouping, *(one["name"] for one in intent.matchers)))
        if re.search(self.but, text) or not all(re.search(words, text) for words in self.wanted):
            return False
        return known.issuperset(self.metrics())


def find_recipes(intent: Intent, known: frozenset[str]) -> list[Recipe]:
    """Find the recipes for a description whose metrics exist, the most particular one first."""
    fitting = [recipe for recipe in RECIPES if recipe.fits(intent, known)]
    return sorted(fitting, key=lambda recipe: -len(recipe.wanted))


def _read() -> tuple[Recipe, ...]:
    text = resources.files(__package__).joinpath("recipes.yaml").read_text()
    return tuple(TypeAdapter(list[Recipe]).validate_python(read_yaml(text)))


RECIPES = _read()
