"""The server object behind the entry point `clock`, and its script."""

import sys

from kmcp_runtime import Server

SERVER = Server(
    package=__package__,
    name="clock",
    title="Clock",
    description="The time now, and before or after now, in any time zone.",
    instructions="Call datetime_get_current_time before writing dates or time ranges.",
    port=8091,
    category="utilities",
    tags=("time", "time-zones"),
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
