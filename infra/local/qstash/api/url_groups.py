"""URL groups, which the API calls topics."""

from ..errors import Refused
from ..records import milliseconds
from ..url_groups import Endpoint, UrlGroup
from ..wire.destinations import check_url
from ..wire.headers import Headers, collect, is_header
from ..wire.names import check_name
from .calls import Call, Reply, json_object


def put_endpoints(call: Call) -> Reply:
    """`POST /v2/topics/{name}/endpoints`: adds endpoints, or changes those of the same URL or name."""
    name = check_name(call.argument, "url group name")
    endpoints = _parse_endpoints(call)
    for endpoint in endpoints:
        check_url(endpoint.url)
    call.account.groups.upsert(name, endpoints)
    return Reply(200)


def remove_endpoints(call: Call) -> Reply:
    """`DELETE /v2/topics/{name}/endpoints`: by URL or name; the group goes with its last one."""
    group = _one(call)
    call.account.groups.remove(group, _parse_endpoints(call))
    return Reply(200)


def list_groups(call: Call) -> Reply:
    """`GET /v2/topics`."""
    return Reply(200, [_group_json(group) for group in call.account.groups.all()])


def get_group(call: Call) -> Reply:
    """`GET /v2/topics/{name}`."""
    return Reply(200, _group_json(_one(call)))


def delete_group(call: Call) -> Reply:
    """`DELETE /v2/topics/{name}`: 200 also where there is none."""
    call.account.groups.delete(call.argument)
    return Reply(200)


def set_headers(call: Call) -> Reply:
    """`PATCH /v2/topics/{name}`: the headers that messages to the group have unless they say otherwise."""
    name = check_name(call.argument, "url group name")
    call.account.groups.set_headers(name, _parse_headers(json_object(call).get("headers")))
    return Reply(200)


def _one(call: Call) -> UrlGroup:
    group = call.account.groups.get(call.argument)
    if group is None:
        raise Refused(404, f"url group {ascii(call.argument)[1:-1]} not found")
    return group


def _parse_endpoints(call: Call) -> list[Endpoint]:
    listed = json_object(call).get("endpoints")
    if not isinstance(listed, list) or not listed:
        raise Refused(400, "the body must be an object with a list named endpoints")
    return [_parse_endpoint(entry) for entry in listed]


def _parse_endpoint(entry: object) -> Endpoint:
    url = entry.get("url") if isinstance(entry, dict) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(url or "", str) or not isinstance(name or "", str) or not (url or name):
        raise Refused(400, "each endpoint must be an object with a url or a name")
    return Endpoint(url or "", check_name(name, "endpoint name") if name else None)


def _parse_headers(given: object) -> Headers:
    if not isinstance(given, dict):
        raise Refused(400, "the body must be an object with an object named headers")
    pairs: list[tuple[str, str]] = []
    for name, values in given.items():
        for value in values if isinstance(values, list) else [values]:
            if not isinstance(value, str) or not is_header(name, value):
                raise Refused(400, f"invalid header {name!a}")
            pairs.append((name, value))
    return collect(pairs)


def _group_json(group: UrlGroup) -> dict[str, object]:
    answer: dict[str, object] = {
        "name": group.name,
        "createdAt": milliseconds(group.created_at),
        "updatedAt": milliseconds(group.updated_at),
        "endpoints": [_endpoint_json(endpoint) for endpoint in group.endpoints],
    }
    return answer | {"headers": group.headers} if group.headers else answer


def _endpoint_json(endpoint: Endpoint) -> dict[str, str]:
    return {"url": endpoint.url} | ({"name": endpoint.name} if endpoint.name else {})
