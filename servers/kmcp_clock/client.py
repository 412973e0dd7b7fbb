"""This machine's clock, and the time zones that it knows."""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from kmcp_runtime import Backend, Call, Settings, ToolFailure, bad_argument, moment_of, nearest, unavailable

_OFFSET = re.compile(r"(?:UTC|GMT|Z)?([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_NOT_ZONES = frozenset({"factory", "localtime", "posixrules"})
"""Names in the data that stand for a machine's own setting, which says nothing about a place."""
ABBREVIATIONS: Mapping[str, tuple[str, ...]] = {
    "ACST": ("Australia/Adelaide", "Australia/Darwin"),
    "AEDT": ("Australia/Sydney",),
    "AEST": ("Australia/Brisbane", "Australia/Sydney"),
    "AKST": ("America/Anchorage",),
    "AKDT": ("America/Anchorage",),
    "AST": ("America/Halifax", "Asia/Riyadh"),
    "ADT": ("America/Halifax",),
    "AWST": ("Australia/Perth",),
    "BRT": ("America/Sao_Paulo",),
    "BST": ("Europe/London", "Asia/Dhaka"),
    "CDT": ("America/Chicago", "America/Havana"),
    "CEST": ("Europe/Berlin", "Europe/Paris"),
    "CST": ("America/Chicago", "Asia/Shanghai", "America/Havana"),
    "EAT": ("Africa/Nairobi",),
    "EDT": ("America/New_York",),
    "EEST": ("Europe/Kiev", "Europe/Athens"),
    "GST": ("Asia/Dubai",),
    "HKT": ("Asia/Hong_Kong",),
    "ICT": ("Asia/Bangkok",),
    "IDT": ("Asia/Jerusalem",),
    "IRST": ("Asia/Tehran",),
    "IST": ("Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"),
    "JST": ("Asia/Tokyo",),
    "KST": ("Asia/Seoul",),
    "MDT": ("America/Denver",),
    "MSK": ("Europe/Moscow",),
    "NDT": ("America/St_Johns",),
    "NST": ("America/St_Johns",),
    "NPT": ("Asia/Kathmandu",),
    "NZDT": ("Pacific/Auckland",),
    "NZST": ("Pacific/Auckland",),
    "PDT": ("America/Los_Angeles",),
    "PHT": ("Asia/Manila",),
    "PKT": ("Asia/Karachi",),
    "PST": ("America/Los_Angeles", "Asia/Manila"),
    "SAST": ("Africa/Johannesburg",),
    "SGT": ("Asia/Singapore",),
    "SST": ("Pacific/Pago_Pago", "Asia/Singapore"),
    "TRT": ("Europe/Istanbul",),
    "WAT": ("Africa/Lagos",),
    "WEST": ("Europe/Lisbon",),
    "WIB": ("Asia/Jakarta",),
}
"""What abbreviations stand for, the most frequent place first. Several mean more than one, so they are not taken."""
_FURTHEST_ETC_HOURS = {"+": 14, "-": 12}


class Clock(Backend):
    """Answers from the operating system's clock; zones are IANA's."""

    @cached_property
    def zones(self) -> Mapping[str, str]:
        """The known names by their lower case; kept, since reading them takes a tenth of a second."""
        return {name.lower(): name for name in sorted(available_timezones()) if name.lower() not in _NOT_ZONES}

    def provide(self, call: Call) -> Mapping[type, Any]:
        return {Clock: self}

    async def ready(self) -> None:
        if not self.zones:
            raise unavailable("this machine has no time zone data", "install the package tzdata")

    def now(self, zone: ZoneInfo, offset_seconds: float, months: int = 0, at: float | None = None) -> datetime:
        """The moment that many elapsed seconds from now (or from `at`), as a clock in the zone shows it.

        Months are those of the zone's calendar, before the seconds: a month after 31 January ends in February.
        """
        try:
            start = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
            local = _later(start.astimezone(zone), months)
            # Added in UTC: arithmetic on local times would ignore changes between summer and winter time.
            return (local.astimezone(UTC) + timedelta(seconds=offset_seconds)).astimezone(zone)
        except (OverflowError, ValueError, OSError):
            raise bad_argument("offset: the result lies outside the years 1 to 9999", "give a shorter one") from None

    def moment(self, text: str | float, zone: ZoneInfo) -> float:
        """Seconds since 1970 of a time; one without an offset is what a clock in the zone shows."""
        try:
            # The second of two equal local times, when clocks are set back, is `fold=1`: here the first is meant.
            local = datetime.fromisoformat(str(text).strip().upper())
            return local.replace(tzinfo=local.tzinfo or zone).timestamp()
        except (ValueError, OverflowError):
            pass  # It is not a calendar time: a number, `now`, or relative to now.
        try:
            return float(moment_of(text))
        except ValueError as error:
            raise bad_argument(f"time: {error}", "a time without an offset is one of from_timezone") from None

    def zone(self, name: str) -> ZoneInfo:
        # Looked up and never opened as given: ZoneInfo reads a file of that name.
        wanted = name.strip().lower()
        # The letter of ISO 8601 for UTC.
        known = "UTC" if wanted == "z" else self.zones.get(wanted)
        if known is None:
            raise self._unknown(name)
        return ZoneInfo(known)

    def _unknown(self, name: str) -> ToolFailure:
        near = self._near(name)
        hint = f"did you mean {', '.join(near)}?" if near else "give an IANA name: Europe/Berlin, America/New_York, UTC"
        return bad_argument(f"timezone: {name!r} is not an IANA time zone", hint)

    def _near(self, name: str) -> list[str]:
        """Zones with that fixed offset or of a city with that name, then similarly spelt ones."""
        if name.strip().upper() in ABBREVIATIONS:
            return [zone for zone in ABBREVIATIONS[name.strip().upper()] if zone.lower() in self.zones]
        offset = _OFFSET.fullmatch(name.strip())
        if offset:
            return _fixed(*offset.groups())
        wanted = name.strip().replace(" ", "_")
        # People name the city and not the region: Berlin, Tokyo, New York.
        cities = {known.rpartition("/")[2].lower(): known for known in self.zones.values()}
        close = [cities[city] for city in nearest(wanted.rpartition("/")[2], cities)]
        return list(dict.fromkeys([*close, *nearest(wanted, self.zones.values())]))[:4]


def _later(local: datetime, months: int) -> datetime:
    """The same day and time some months later, or the last day of a shorter month."""
    if not months:
        return local
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day)


def _fixed(sign: str, hours: str, minutes: str | None) -> list[str]:
    """`Etc` zones are named the other way round: Etc/GMT-2 is two hours ahead of UTC."""
    # `Etc` has whole hours only, and more of them to the east than to the west.
    if int(minutes or 0) or int(hours) > _FURTHEST_ETC_HOURS[sign]:
        return []
    return [f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}"]


def open_backend(settings: Settings) -> Clock:
    return Clock()
