"""What pydantic finds wrong is said in our words, wherever it is found."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kmcp_runtime.findings import faults, findings


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = "x"


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: Annotated[int, Field(ge=1, le=9)] = 1
    more: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    text: Annotated[str, Field(min_length=1, max_length=3, pattern="^[a-z]*$")] = "a"
    on: bool = True
    color: Literal["red", "green"] = "red"
    parts: Annotated[list[Part], Field(min_length=1, max_length=2)] = Field(default=[Part()])
    labels: dict[str, int] = Field(default={})
    optional: Part | None = None
    either: dict[str, int] | str = ""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"count": "many"}, "count: must be a whole number"),
        ({"count": 1.5}, "count: must be a whole number"),
        ({"either": ["a=b"]}, "either: must be a mapping or text"),
        ({"labels": {"str": "a"}}, "labels.str: must be a whole number"),
        ({"count": []}, "count: must be a whole number"),
        ({"count": 0}, "count: must be at least 1"),
        ({"count": 10}, "count: must be at most 9"),
        ({"more": "a"}, "more: must be a number"),
        ({"more": {}}, "more: must be a number"),
        ({"more": 0}, "more: must be greater than 0.0"),
        ({"more": 1}, "more: must be less than 1.0"),
        ({"more": float("nan")}, "more: must be a finite number"),
        ({"text": 1}, "text: must be text"),
        ({"text": ""}, "text: must have 1 or more characters"),
        ({"text": "abcd"}, "text: must have 3 or fewer characters"),
        ({"text": "A"}, "text: must match ^[a-z]*$"),
        ({"on": "perhaps"}, "on: must be true or false"),
        ({"on": []}, "on: must be true or false"),
        ({"color": "gren"}, "color: 'gren' is not one of 'red' or 'green'; did you mean green?"),
        ({"color": "black"}, "color: 'black' is not one of 'red' or 'green'"),
        ({"parts": "a"}, "parts: must be a list"),
        ({"parts": []}, "parts: must have 1 or more elements"),
        ({"parts": [{}] * 3}, "parts: must have 2 or fewer elements"),
        ({"parts": [1]}, "parts[0]: must be a mapping"),
        ({"parts": [{}, {"nmae": "a"}]}, "unknown argument 'parts[1].nmae': did you mean name?"),
        ({"labels": 3}, "labels: must be a mapping"),
        ({"labels": {"a": "b"}}, "labels.a: must be a whole number"),
        ({"optional": {"nam": "a"}}, "unknown argument 'optional.nam': did you mean name?"),
        ({"coumt": 1}, "unknown argument 'coumt': did you mean count?"),
        ({"part_count": 1}, "unknown argument 'part_count': did you mean count?"),
        ({"zzz": 1}, "unknown argument 'zzz'"),
    ],
)
def test_a_fault_is_told_in_our_words_with_its_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate(given)
    assert faults(Whole, refused.value) == [told]


def test_every_finding_has_a_next_step() -> None:
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate({"count": "a", "coumt": 1, "color": "black", "parts": [{"x": 1}]})
    steps = {found.text: found.step for found in findings(refused.value, Whole)}
    assert steps["must be a whole number"] == "write it without quotes"
    assert all(steps.values())


def test_values_of_a_mapping_are_not_taken_for_types() -> None:
    with pytest.raises(ValidationError) as refused:
        Whole.model_validate({"labels": {"str": "a", "int": "b"}})
    assert faults(Whole, refused.value) == ["labels.str: must be a whole number", "labels.int: must be a whole number"]
