"""The server object behind the entry point `{{name}}`."""

import sys

from kmcp_runtime import Server

SERVER = Server(
    package=__package__,
    name="{{name}}",
    title="{{title}}",
    description="Tools of {{title}}.",
    instructions="Say here when to use these tools.",
    port=8000,
)


if __name__ == "__main__":
    sys.exit(SERVER.main())
