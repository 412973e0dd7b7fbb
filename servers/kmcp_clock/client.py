"""This machine's clock, and the time zones that it knows."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from kmcp_runtime import Backend, Call, Settings, ToolFailure, bad_argument, nearest, unavailable

_OFFSET = re.compile(r"(?:UTC|GMT|Z)?([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_FURTHEST_ETC_HOURS = {"+": 14, "-": 12}


class Clock(Backend):
    """Answers from the operating system's clock; zones are IANA's."""

    @cached_property
    def zones(self) -> Mapping[str, str]:
        """The known names by their lower case; kept, since reading them takes a tenth of a second."""
        return {name.lower(): name for name in sorted(available_timezones())}

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Clock: self}

    async def ready(self) -> None:
        if not self.zones:
            raise unavailable("this machine has no time zone data", "install the package tzdata")

    def now(self, zone: ZoneInfo, offset_seconds: float) -> datetime:
        """The moment that many elapsed seconds from now, as a clock in the zone shows it."""
        try:
            # Added in UTC: arithmetic on local times would ignore changes between summer and winter time.
            return (datetime.now(UTC) + timedelta(seconds=offset_seconds)).astimezone(zone)
        except OverflowError:
            raise bad_argument("offset: the result lies outside the years 1 to 9999", "give a shorter one") from None

    def zone(self, name: str) -> ZoneInfo:
        # Looked up and never opened as given: ZoneInfo reads a file of that name.
        known = self.zones.get(name.strip().lower())
        if known is None:
            raise self._unknown(name)
        return ZoneInfo(known)

    def _unknown(self, name: str) -> ToolFailure:
        near = self._near(name)
        hint = f"did you mean {', '.join(near)}?" if near else "give an IANA name: Europe/Berlin, America/New_York, UTC"
        return bad_argument(f"timezone: {name!r} is not an IANA time zone", hint)

    def _near(self, name: str) -> list[str]:
        """Zones with that fixed offset or of a city with that name, then similarly spelt ones."""
        offset = _OFFSET.fullmatch(name.strip())
        if offset:
            return _fixed(*offset.groups())
        wanted = name.strip().replace(" ", "_")
        # People name the city and not the region: Berlin, Tokyo, New York.
        cities = {known.rpartition("/")[2].lower(): known for known in self.zones.values()}
        close = [cities[city] for city in nearest(wanted.rpartition("/")[2], cities)]
        return list(dict.fromkeys([*close, *nearest(wanted, self.zones.values())]))[:4]


def _fixed(sign: str, hours: str, minutes: str | None) -> list[str]:
    """`Etc` zones are named the other way round: Etc/GMT-2 is two hours ahead of UTC."""
    # `Etc` has whole hours only, and more of them to the east than to the west.
    if int(minutes or 0) or int(hours) > _FURTHEST_ETC_HOURS[sign]:
        return []
    return [f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}"]


def open_backend(settings: Settings) -> Clock:
    return Clock()
