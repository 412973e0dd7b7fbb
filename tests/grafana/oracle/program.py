"""Runs in the environment of grafana-client: a call per line of standard input, its answer per line of standard output.

A call is `[path of the method, positional arguments, named arguments]`; an answer `{"result": …}` or
`{"error": name of the exception, "status": …, "message": …}`. The first line is the address, login and password.
"""

import json
import sys
from functools import reduce
from typing import Any

from grafana_client import GrafanaApi  # type: ignore[import-not-found]  # of another environment
from grafana_client.client import GrafanaException  # type: ignore[import-not-found]


def main() -> None:
    address, login, password = json.loads(sys.stdin.readline())
    api = GrafanaApi.from_url(address, credential=(login, password))
    for line in sys.stdin:
        path, arguments, named = json.loads(line)
        print(json.dumps(answer(api, path, arguments, named)), flush=True)


def answer(api: Any, path: str, arguments: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": reduce(getattr, path.split("."), api)(*arguments, **named)}
    except GrafanaException as error:
        return {"error": type(error).__name__, "status": error.status_code, "message": str(error.response)}


if __name__ == "__main__":
    main()
