"""A stdio server of the handshake revisions that asks its client, tells it things, and reports what it was told.

usage: asking.py
"""

import json
import sys
from typing import Any

NUMBERS = iter(range(1000, 2000))


def send(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
    number = f"q{next(NUMBERS)}"
    send({"id": number, "method": method, "params": params})
    while True:
        answer = json.loads(sys.stdin.readline())
        if answer.get("id") == number:
            return {key: value for key, value in answer.items() if key in ("result", "error")}


def told(number: Any, content: Any) -> None:
    send({"id": number, "result": {"content": [{"type": "text", "text": json.dumps(content)}]}})


QUESTIONS: dict[str, dict[str, Any]] = {
    "sampling/createMessage": {
        "messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}],
        "maxTokens": 5,
    },
    "elicitation/create": {"message": "Sure?", "requestedSchema": {"type": "object", "properties": {}}},
    "roots/list": {},
    "ping": {},
}


def main() -> None:
    introduced: dict[str, Any] = {}
    noticed: list[str] = []
    levels: list[str] = []
    names = [*QUESTIONS, "log", "change", "introduced", "noticed"]
    for line in sys.stdin:
        message = json.loads(line)
        number, method, params = message.get("id"), message.get("method"), message.get("params") or {}
        if method == "initialize":
            introduced = params
            offered = {"tools": {"listChanged": True}, "logging": {}, "resources": {"subscribe": True}}
            said = {"protocolVersion": params["protocolVersion"], "capabilities": offered}
            send({"id": number, "result": {**said, "serverInfo": {"name": "asking", "version": "1"}}})
        elif method == "tools/list":
            listed = [{"name": name.replace("/", "_"), "inputSchema": {"type": "object"}} for name in names]
            send({"id": number, "result": {"tools": listed}})
        elif method == "logging/setLevel":
            levels.append(params["level"])
            send({"id": number, "result": {}})
        elif method == "tools/call":
            name = params["name"]
            asked = next((each for each in QUESTIONS if each.replace("/", "_") == name), None)
            if asked:
                told(number, ask(asked, QUESTIONS[asked]))
            elif name == "log":
                send({"method": "notifications/message", "params": {"level": "info", "data": "during"}})
                told(number, levels)
            elif name == "change":
                told(number, "done")
                send({"method": "notifications/tools/list_changed"})
            else:
                told(number, introduced if name == "introduced" else noticed)
        elif number is None and method:
            noticed.append(method)


if __name__ == "__main__":
    main()
