"""How many calls a caller may make, by tool and by effect.

Each limit lets a caller make its whole number at once and then one for each share of the time (the generic cell rate
algorithm): one number for a caller and a limit, no timers, no windows. Counted in this process alone: of several
replicas each counts its own.
"""

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from kmcp_runtime.catalog import Effect
from kmcp_runtime.errors import rate_limited
from kmcp_runtime.settings import SettingsError, listed

MOST_CALLERS = 10_000
SETTING = "--rate-limits / KMCP_RATE_LIMITS"
_LIMIT = re.compile(r"(?:(?P<what>[\w*?-]+)\s*=\s*)?(?P<count>\d{1,9})\s*/\s*(?P<unit>s|sec|min|h|hour)")
_SECONDS = {"s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0}
_EFFECTS = frozenset(effect.value for effect in Effect)


@dataclass(frozen=True)
class Limit:
    """So many calls in so many seconds, of tools with such a name, or with such an effect."""

    text: str
    count: int
    seconds: float
    what: str = "*"

    def fits(self, tool: str, effect: Effect) -> bool:
        return self.what == effect.value if self.what in _EFFECTS else fnmatchcase(tool, self.what)


class Rates:
    """The limits of a process, and how much of them each caller has used."""

    def __init__(self, text: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Errors: `SettingsError`, naming the part that is not a limit."""
        self._limits = [_limit(part) for part in listed(text)]
        self._clock = clock
        # When a caller would have used up nothing; the one that called longest ago goes first.
        self._free_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def check_names(self, tools: Collection[str]) -> None:
        """Refuse a limit that fits no tool: a typo there would silently limit nothing."""
        for limit in self._limits:
            if limit.what not in _EFFECTS and not any(fnmatchcase(tool, limit.what) for tool in tools):
                raise SettingsError(f"{SETTING}: {limit.text!r} fits no tool of the servers here")

    def take(self, caller: str, tool: str, effect: Effect) -> None:
        """Count a call. One that is refused counts for no limit. Errors: `rate_limited` with the seconds to wait."""
        now = self._clock()
        fitting = [limit for limit in self._limits if limit.fits(tool, effect)]
        free = {limit.text: max(self._free_at.get((caller, limit.text), now), now) for limit in fitting}
        # The call fits when what it adds leaves the whole within the limit's time.
        waits = {limit.text: free[limit.text] + limit.seconds / limit.count - limit.seconds - now for limit in fitting}
        slowest = max(fitting, key=lambda limit: waits[limit.text], default=None)
        if slowest is not None and waits[slowest.text] > 1e-9:
            seconds = max(1, math.ceil(waits[slowest.text]))
            raise rate_limited(f"too many calls: this caller may make {slowest.text} with {tool}", seconds)
        for limit in fitting:
            self._free_at[caller, limit.text] = free[limit.text] + limit.seconds / limit.count
            self._free_at.move_to_end((caller, limit.text))
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Who has used up nothing needs no memory; beyond a number of callers the oldest goes all the same."""
        while self._free_at:
            key, free_at = next(iter(self._free_at.items()))
            if free_at > now and len(self._free_at) <= MOST_CALLERS * max(len(self._limits), 1):
                return
            del self._free_at[key]


def _limit(text: str) -> Limit:
    found = _LIMIT.fullmatch(text)
    if found is None or not int(found["count"]):
        raise SettingsError(f"{SETTING}: {text[:80]!r} is not a limit: write 60/min, k8s_*=10/min or destroy=5/hour")
    return Limit(text, int(found["count"]), _SECONDS[found["unit"]], found["what"] or "*")
