"""A stdio server of the handshake revisions that answers each tool call in the way that the tool is named for.

usage: broken.py [FIRST]   what happens before the handshake: `slow-modern` or `chatty`
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

Answer = Callable[[Any], bytes]
FINE = {"content": [{"type": "text", "text": "fine"}]}


def dump(message: dict[str, Any], **given: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}, **given).encode() + b"\n"


def deep(number: Any) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":{"x":' % number + b"[" * 100_000 + b"]" * 100_000 + b"}}\n"


def huge_with_the_id_last(number: Any) -> bytes:
    return b'{"result":{"id":1,"x":"' + b"y" * 70_000_000 + b'"},"jsonrpc":"2.0","id":%d}\n' % number


ANSWERS: dict[str, Answer] = {
    "fine": lambda n: dump({"id": n, "result": FINE}),
    "error_text": lambda n: dump({"id": n, "error": "boom"}),
    "error_number": lambda n: dump({"id": n, "error": 5}),
    "error_empty": lambda n: dump({"id": n, "error": {}}),
    "error_wrong_fields": lambda n: dump({"id": n, "error": {"code": "E1", "message": ["no"]}}),
    "error_and_result": lambda n: dump({"id": n, "error": {"code": -1, "message": "no"}, "result": FINE}),
    "error_null": lambda n: dump({"id": n, "error": None, "result": FINE}),
    "result_null": lambda n: dump({"id": n, "result": None}),
    "result_list": lambda n: dump({"id": n, "result": [1]}),
    "nothing": lambda n: dump({"id": n}),
    "not_a_number": lambda n: dump({"id": n, "result": FINE | {"structuredContent": {"x": float("nan")}}}),
    "infinite": lambda n: b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"structuredContent":{"x":1e999}}}\n' % n,
    "bad_byte": lambda n: b'{"jsonrpc": "2.0", "id": %d, "result": {"x": "\xff"}}\n' % n,
    "bad_json": lambda n: b'{"jsonrpc":"2.0","id":%d,"result":{"x":}}\n' % n,
    "pretty": lambda n: dump({"id": n, "result": FINE}, indent=2),
    "id_as_text": lambda n: dump({"id": str(n), "result": FINE}),
    "id_as_float": lambda n: dump({"id": float(n), "result": FINE}),
    "deep": deep,
    "huge": lambda n: b'{"jsonrpc":"2.0","id":%d,"result":{"x":"' % n + b"y" * 70_000_000 + b'"}}\n',
    "huge_last": huge_with_the_id_last,
    "batch": lambda n: json.dumps([{"jsonrpc": "2.0", "id": n, "result": FINE}]).encode() + b"\n",
    "silent": lambda n: b"",
    "lost": lambda n: dump({"id": None, "result": FINE}),
    "noise": lambda n: b"WARNING something, again and again\n" * 100_000 + dump({"id": n, "result": FINE}),
}
TOOLS: list[Any] = [
    *({"name": name, "inputSchema": {"type": "object"}} for name in ANSWERS),
    {"name": "no_schema"},
    {"name": 7, "inputSchema": {}},
    {"name": ["x"], "inputSchema": {}},
    "text",
]


def say(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def slow_modern() -> None:
    """Says nothing until both first messages have come; then refuses one and answers the other, in this order."""
    waiting = [json.loads(sys.stdin.readline()), json.loads(sys.stdin.readline())]
    numbers = {each["method"]: each["id"] for each in waiting}
    say(dump({"id": numbers["initialize"], "error": {"code": -32601, "message": "Method not found"}}))
    time.sleep(0.2)  # so that the refusal is seen before the answer comes
    info = {"io.modelcontextprotocol/serverInfo": {"name": 5, "version": None}}
    found = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "instructions": 3, "_meta": info}
    say(dump({"id": numbers["server/discover"], "result": found}))


def main() -> None:
    if sys.argv[1:] == ["slow-modern"]:
        slow_modern()
    for line in sys.stdin:
        message = json.loads(line)
        number, method = message.get("id"), message["method"]
        if method == "initialize":
            said = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}, "logging": True}, "serverInfo": 7}
            say(dump({"id": number, "result": said}))
        elif method == "tools/list":
            say(dump({"id": number, "result": {"tools": TOOLS, "nextCursor": 5}}))
        elif method == "tools/call":
            say(ANSWERS[message["params"]["name"]](number))
        elif number is not None:
            say(dump({"id": number, "error": {"code": -32601, "message": "Method not found"}}))


if __name__ == "__main__":
    main()
