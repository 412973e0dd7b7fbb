"""Data sources, queries, annotations and playlists below `/api`."""

from typing import Any

from tests.grafana.standin.exchange import Exchange, Handler
from tests.grafana.standin.state import Refusal, Row

Answered = tuple[int, Any]
_KNOWN_TYPES = ("prometheus", "loki", "grafana-testdata-datasource", "grafana-postgresql-datasource", "tempo")


def _stored(row: Row) -> Row:
    """A data source as it is read back: what is secure shows only that it is set."""
    shown = {key: value for key, value in row.items() if key != "secureJsonData"}
    return {**shown, "secureJsonFields": dict.fromkeys(row.get("secureJsonData") or {}, True)}


def _source(exchange: Exchange) -> Row:
    found = exchange.organisation.datasources.get(exchange.param("uid"))
    if found is None:
        raise Refusal(404, "Data source not found", traceID="")
    return found


def list_sources(exchange: Exchange) -> Answered:
    rows = sorted(exchange.organisation.datasources.values(), key=lambda row: str(row["name"]))
    return 200, [{key: value for key, value in _stored(row).items() if key != "secureJsonFields"} for row in rows]


def get_settings(exchange: Exchange) -> Answered:
    """Of each data source what a page needs to query it, by name; Grafana's own ones are among them."""
    rows = [
        {"uid": row["uid"], "name": row["name"], "type": row["type"], "isDefault": row["isDefault"], "url": "/proxy"}
        for row in exchange.organisation.datasources.values()
    ]
    rows += [
        {"uid": "grafana", "name": "-- Grafana --", "type": "datasource"},
        {"uid": "-- Mixed --", "name": "-- Mixed --", "type": "datasource"},
    ]
    return 200, {"datasources": {row["name"]: row for row in rows}, "buildInfo": {"version": exchange.version}}


def get_source(exchange: Exchange) -> Answered:
    return 200, _stored(_source(exchange))


def get_source_by_name(exchange: Exchange) -> Answered:
    name = exchange.param("name")
    found = next((row for row in exchange.organisation.datasources.values() if row["name"] == name), None)
    if found is None:
        raise Refusal(404, "Data source not found", traceID="")
    return 200, _stored(found)


def create_source(exchange: Exchange) -> Answered:
    body = exchange.body
    if not body.get("name") or not body.get("type") or not body.get("access"):
        raise Refusal(400, "bad request data")
    if body["type"] not in _KNOWN_TYPES:
        raise Refusal(400, f"plugin {body['type']} not found")
    uid = body.get("uid") or exchange.state.uid("P")
    _refuse_taken(exchange, body, uid, None)
    row: Row = {"id": exchange.state.number(), "orgId": exchange.organisation.id, "readOnly": False, "version": 1}
    row |= {"isDefault": False, "jsonData": {}, "url": "", "user": "", "database": "", "basicAuth": False}
    exchange.organisation.datasources[uid] = {**row, **body, "uid": uid}
    shown = _stored(exchange.organisation.datasources[uid])
    return 200, {"id": row["id"], "message": "Datasource added", "name": body["name"], "datasource": shown}


def put_source(exchange: Exchange) -> Answered:
    """All is replaced but the secure fields, which stay unless they are named."""
    found, body = _source(exchange), exchange.body
    if found["readOnly"]:
        raise Refusal(403, "Cannot update read-only data source")
    if not body.get("name") or not body.get("type") or not body.get("access"):
        raise Refusal(400, "bad request data")
    if body.get("version") not in (None, found["version"]):
        raise Refusal(409, "Datasource has already been updated by someone else. Please reload and try again")
    _refuse_taken(exchange, body, found["uid"], found)
    secure = {**(found.get("secureJsonData") or {}), **(body.get("secureJsonData") or {})}
    kept = {key: found[key] for key in ("id", "orgId", "readOnly")}
    empty = {"isDefault": False, "jsonData": {}, "url": "", "user": "", "database": "", "basicAuth": False}
    after = {**kept, **empty, **body, "uid": found["uid"], "version": found["version"] + 1, "secureJsonData": secure}
    exchange.organisation.datasources[found["uid"]] = after
    return 200, {"id": kept["id"], "message": "Datasource updated", "name": body["name"], "datasource": _stored(after)}


def _refuse_taken(exchange: Exchange, body: Row, uid: str, own: Row | None) -> None:
    for row in exchange.organisation.datasources.values():
        if row is not own and row["name"] == body["name"]:
            raise Refusal(409, "data source with the same name already exists")
        if row is not own and row["uid"] == uid:
            raise Refusal(409, "data source with the same uid already exists")


def delete_source(exchange: Exchange) -> Answered:
    found = _source(exchange)
    if found["readOnly"]:
        raise Refusal(403, "Cannot delete read-only data source")
    del exchange.organisation.datasources[found["uid"]]
    return 200, {"message": "Data source deleted", "id": found["id"]}


def health(exchange: Exchange) -> Answered:
    found = _source(exchange)
    if not found["url"].startswith("http"):
        return 400, {"status": "ERROR", "message": "connection refused", "details": {}}
    return 200, {"status": "OK", "message": "Successfully queried the Prometheus API."}


def query(exchange: Exchange) -> Answered:
    body = exchange.body
    if not body["queries"]:
        raise Refusal(400, "no queries found")
    if not body["from"].isdecimal() or int(body["from"]) >= int(body["to"]):
        raise Refusal(400, "invalid time range")
    results, status = {}, 200
    for asked in body["queries"]:
        reference = asked.get("refId")
        source = exchange.organisation.datasources.get(str((asked.get("datasource") or {}).get("uid")))
        if not reference or source is None:
            raise Refusal(404 if reference else 400, "Data source not found" if reference else "bad request data")
        result = _result(source, asked, int(body["from"]), int(body["to"]))
        status = max(status, result["status"])
        results[reference] = result
    return status, {"results": results}


def _result(source: Row, asked: Row, start: int, end: int) -> Row:
    text = asked.get("expr") or asked.get("rawSql") or ""
    if "broken(" in text:
        told = 'bad_data: invalid parameter "query": 1:8: parse error: unclosed left parenthesis'
        return {"status": 400, "error": told, "errorSource": "downstream", "frames": []}
    if source["type"] == "loki":
        return {"status": 200, "frames": [_lines(int(asked["maxLines"]), start)]}
    if source["type"] == "prometheus":
        if text == "nothing":
            return {"status": 200, "frames": []}
        step = max(1000, (end - start) // 4)
        return {"status": 200, "frames": [_series(text, number, start, step) for number in range(3)]}
    fields = [{"name": "id", "type": "number"}, {"name": "who", "type": "string"}]
    return {
        "status": 200,
        "frames": [{"schema": {"refId": "A", "fields": fields}, "data": {"values": [[1, 2], ["a", "b"]]}}],
    }


def _series(name: str, number: int, start: int, step: int) -> Row:
    labels = {"__name__": name, "instance": f"node-{number}"}
    fields = [{"name": "Time", "type": "time"}, {"name": "Value", "type": "number", "labels": labels}]
    times = [start + step * index for index in range(4)]
    values: list[float | None] = [number + 1.0, number + 2.0, None, number + 4.0]
    schema = {"refId": "A", "fields": fields, "meta": {"type": "timeseries-multi"}}
    return {"schema": schema, "data": {"values": [times, values], "entities": [None, {"NaN": [2]}]}}


def _lines(count: int, start: int) -> Row:
    fields = [
        {"name": "labels", "type": "other"},
        {"name": "Time", "type": "time"},
        {"name": "Line", "type": "string"},
        {"name": "tsNs", "type": "string"},
        {"name": "id", "type": "string"},
    ]
    kept = range(min(count, 5))
    values: list[list[Any]] = [
        [{"app": "web"} for _ in kept],
        [start + 1000 * index for index in kept],
        [f"line {index}" for index in kept],
        [str(index) for index in kept],
        [f"id{index}" for index in kept],
    ]
    return {"schema": {"refId": "A", "fields": fields, "meta": {"type": "log-lines"}}, "data": {"values": values}}


def get_annotations(exchange: Exchange) -> Answered:
    start, end = exchange.count("from", 0), exchange.count("to", 0)
    tags, kind = exchange.query.get("tags", []), exchange.first("type")
    rows = [
        row
        for row in exchange.organisation.annotations.values()
        # Only when both bounds are there; then what overlaps with them counts.
        if (not (start and end) or (row["time"] <= end and row["timeEnd"] >= start))
        and all(tag in row["tags"] for tag in tags)
        and exchange.first("dashboardUID") in ("", row.get("dashboardUID"))
        and exchange.first("panelId") in ("", str(row.get("panelId")))
        and (kind != "alert" or row.get("alertName"))
    ]
    return 200, rows[: exchange.count("limit", 100)]


def _annotation(exchange: Exchange) -> Row:
    found = exchange.organisation.annotations.get(exchange.number("annotation_id"))
    if found is None:
        raise Refusal(404, "Could not find annotation to update")
    return found


def create_annotation(exchange: Exchange) -> Answered:
    body = exchange.body
    if not body["text"]:
        raise Refusal(400, "text field should not be empty")
    if body.get("dashboardUID") and body["dashboardUID"] not in exchange.organisation.dashboards:
        raise Refusal(404, "Dashboard not found")
    number = exchange.state.number()
    row = {"id": number, "time": 1_764_064_800_000, "tags": [], **body}
    exchange.organisation.annotations[number] = {"timeEnd": row["time"], **row, "login": "sa-kmcp"}
    return 200, {"message": "Annotation added", "id": number}


def patch_annotation(exchange: Exchange) -> Answered:
    _annotation(exchange).update(exchange.body)
    return 200, {"message": "Annotation patched"}


def delete_annotation(exchange: Exchange) -> Answered:
    del exchange.organisation.annotations[_annotation(exchange)["id"]]
    return 200, {"message": "Annotation deleted"}


def list_playlists(exchange: Exchange) -> Answered:
    query = exchange.first("query").lower()
    rows = [_playlist_row(row) for row in exchange.organisation.playlists.values() if query in row["name"].lower()]
    return 200, rows[: exchange.count("limit", 1000)]


def _playlist_row(row: Row) -> Row:
    return {"id": row["id"], "uid": row["uid"], "name": row["name"], "interval": row["interval"]}


def _playlist(exchange: Exchange) -> Row:
    found = exchange.organisation.playlists.get(exchange.param("uid"))
    if found is None:
        raise Refusal(404, "Playlist not found")
    return found


def _put(exchange: Exchange, uid: str, generation: int) -> Row:
    body = exchange.body
    if not body.get("name") or not body.get("interval") or not body.get("items"):
        raise Refusal(400, "bad request data")
    items = [{"type": item["type"], "value": item["value"], "order": n + 1} for n, item in enumerate(body["items"])]
    row = {"id": exchange.state.number(), "uid": uid, "generation": generation, "name": body["name"]}
    exchange.organisation.playlists[uid] = {**row, "interval": body["interval"], "items": items}
    return exchange.organisation.playlists[uid]


def create_playlist(exchange: Exchange) -> Answered:
    return 200, _playlist_row(_put(exchange, exchange.state.uid("p"), 1))


def put_playlist(exchange: Exchange) -> Answered:
    found = _playlist(exchange)
    return 200, _put(exchange, found["uid"], found["generation"] + 1)


def delete_playlist(exchange: Exchange) -> Answered:
    del exchange.organisation.playlists[_playlist(exchange)["uid"]]
    return 200, {}


HANDLERS: dict[str, Handler] = {
    "GET /api/datasources": list_sources,
    "GET /api/frontend/settings": get_settings,
    "POST /api/datasources": create_source,
    "GET /api/datasources/name/{name}": get_source_by_name,
    "GET /api/datasources/uid/{uid}": get_source,
    "PUT /api/datasources/uid/{uid}": put_source,
    "DELETE /api/datasources/uid/{uid}": delete_source,
    "GET /api/datasources/uid/{uid}/health": health,
    "POST /api/ds/query": query,
    "GET /api/annotations": get_annotations,
    "POST /api/annotations": create_annotation,
    "GET /api/annotations/{annotation_id}": lambda exchange: (200, _annotation(exchange)),
    "PATCH /api/annotations/{annotation_id}": patch_annotation,
    "DELETE /api/annotations/{annotation_id}": delete_annotation,
    "GET /api/playlists": list_playlists,
    "POST /api/playlists": create_playlist,
    "GET /api/playlists/{uid}": lambda exchange: (200, _playlist_row(_playlist(exchange))),
    "GET /api/playlists/{uid}/items": lambda exchange: (200, _playlist(exchange)["items"]),
    "PUT /api/playlists/{uid}": put_playlist,
    "DELETE /api/playlists/{uid}": delete_playlist,
}
