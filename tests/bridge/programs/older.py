"""A stdio server of an older revision, without a library: pages, noise on stdout, an end at any other first message.

usage: older.py [REVISION [TOOL…]]
"""

import json
import sys
from typing import Any

REVISION = sys.argv[1] if len(sys.argv) > 1 else "2025-03-26"
TOOLS = sys.argv[2:] or ["one", "two", "three", "four", "five"]


def send(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "description": f"Tool {name}", "inputSchema": {"type": "object", "properties": {}}}


def page(cursor: str | None) -> dict[str, Any]:
    start = int(cursor or 0)
    more = {"nextCursor": str(start + 2)} if start + 2 < len(TOOLS) else {}
    return {"tools": [tool(name) for name in TOOLS[start : start + 2]], **more}


def called(number: Any, params: dict[str, Any]) -> None:
    if params["name"] == "two":
        send({"id": 77, "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}})
        refusal = json.loads(sys.stdin.readline())
        send({"id": number, "result": {"content": [{"type": "text", "text": json.dumps(refusal["error"])}]}})
    else:
        text = json.dumps({"meta": sorted(params.get("_meta") or {}), "name": params["name"]})
        send({"id": number, "result": {"content": [{"type": "text", "text": text}]}})


def main() -> None:
    first = json.loads(sys.stdin.readline())
    if first["method"] != "initialize":
        sys.exit(f"expected initialize, not {first['method']}")
    said = {"capabilities": {"tools": {}}, "serverInfo": {"name": "older", "version": "0.1"}}
    send({"id": first["id"], "result": {"protocolVersion": REVISION, **said}})
    print("a line that is no message", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if message["method"] == "tools/list":
            send({"id": message["id"], "result": page((message.get("params") or {}).get("cursor"))})
        elif message["method"] == "tools/call":
            called(message["id"], message["params"])
        elif "id" in message:
            send({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})


if __name__ == "__main__":
    main()
