"""The answer to a change in an agent, and option values as callers write them and as agents report them."""

from collections.abc import Mapping

from pydantic import BaseModel, Field

from kmcp_runtime import Result, ToolFailure, bad_argument, did_you_mean, quoted_list

LEVELS = ("none", "low", "medium", "max")
ENFORCEMENT = ("default", "always", "never")
AGGREGATION = "MonitorAggregationLevel"
POLICY_ENFORCEMENT = "PolicyEnforcement"
# Agents and older callers spell booleans in several ways; Enabled and Disabled are those of the agent.
_ON = ("true", "enabled", "enable", "on", "1", "yes")
_OFF = ("false", "disabled", "disable", "off", "0", "no")
_AGGREGATION_NUMBERS = {"0": "none", "1": "lowest", "2": "low", "3": "medium", "4": "max", "disabled": "none"}


class AgentChange(Result):
    """What happened to one thing on one node."""

    node: str
    result: str = Field(description="What happened")
    changed: bool
    dry_run: bool | None = Field(default=None, description="True when nothing was changed")


class OptionChange(BaseModel):
    """An option's value before and after."""

    option: str
    before: str | None = None
    after: str


def wanted(option: str, value: str) -> str:
    """The value as the command line takes it; `bad_argument` lists the values of the option."""
    lowered = value.strip().lower()
    # A level is a word for callers, though agents store a number.
    if option == AGGREGATION:
        return _among(option, value, LEVELS)
    if option == POLICY_ENFORCEMENT:
        return _among(option, value, ENFORCEMENT)
    if lowered in _ON or lowered in _OFF:
        return "true" if lowered in _ON else "false"
    raise bad_argument(f"value: {option} is on or off, not {value!r}", "use true or false")


def shown(option: str, value: object) -> str:
    """A reported value in the words that callers write: true, false, a level."""
    reported = str(value).lower()
    if option == AGGREGATION:
        return _AGGREGATION_NUMBERS.get(reported, reported)
    return "true" if reported in _ON else "false" if reported in _OFF else reported


def differences(options: Mapping[str, str], before: Mapping[str, object]) -> list[OptionChange]:
    """The options whose value differs from the one before."""
    old = {option: shown(option, before[option]) if option in before else None for option in options}
    return [
        OptionChange(option=option, before=old[option], after=after)
        for option, after in options.items()
        if old[option] != after
    ]


def _among(option: str, value: str, known: tuple[str, ...]) -> str:
    if value.lower() not in known:
        hint = did_you_mean(value, known) or f"it takes {quoted_list(known)}"
        raise bad_argument(f"value: {value!r} is not a valid value of {option}", hint)
    return value.lower()


def unknown_option(option: str, known: tuple[str, ...], argument: str) -> ToolFailure:
    hint = did_you_mean(option, known) or f"options: {quoted_list(known)}"
    return bad_argument(f"{argument}: no option {option!r}", hint)
