"""Which connections a filter chain takes: its own match, or the matcher tree that waypoints have."""

from collections.abc import Iterator
from typing import Any

from kmcp_istio.envoy.fields import at, each, number, text, type_of

_PLAIN = ["http/1.0", "http/1.1", "h2c"]
_ISTIO = ["istio-http/1.0", "istio-http/1.1", "istio-h2"]
# Combinations of ALPN protocols that Istio writes, under the names that istioctl has for them.
_APPLICATIONS = {
    "App: HTTP TLS": [*_PLAIN, *_ISTIO],
    "App: Istio HTTP Plain": ["istio", *_ISTIO],
    "App: TCP TLS": ["istio-peer-exchange", "istio"],
    "App: HTTP": _PLAIN,
}
_IP_MATCHER = "xds.type.matcher.v3.IPMatcher"


def of(listener: Any, chain: Any) -> list[str]:
    """The conditions that lead to this filter chain, in istioctl's words."""
    # With a tree Envoy ignores the match of each chain.
    tree = at(listener, "filter_chain_matcher")
    if tree is None:
        return [_own(at(chain, "filter_chain_match"))]
    name = text(chain, "name")
    otherwise = at(tree, "on_no_match")
    if text(otherwise, "action", "name") == name and name:
        return ["UNMATCHED"]
    return list(_ways(tree, name)) or ["NONE"]


def _own(match: Any) -> str:
    words = []
    if names := each(match, "server_names"):
        words.append(f"SNI: {','.join(names)}")
    if transport := text(match, "transport_protocol"):
        words.append(f"Trans: {transport}")
    if applications := each(match, "application_protocols"):
        known = [title for title, protocols in _APPLICATIONS.items() if protocols == applications]
        words += known or [f"App: {','.join(applications)}"]
    port = number(match, "destination_port")
    ranges = ",".join(_range(one) for one in each(match, "prefix_ranges"))
    if ranges or port:
        words.append(f"Addr: {ranges or '*'}{f':{port}' if port else ''}")
    return "; ".join(words) or "ALL"


def _range(one: Any) -> str:
    return f"{text(one, 'address_prefix')}/{number(one, 'prefix_len')}"


def _ways(tree: Any, name: str) -> Iterator[str]:
    """Every path through a matcher tree that ends at the chain of this name."""
    otherwise = at(tree, "on_no_match")
    if text(otherwise, "action", "name") == name:
        yield "ANY"
    elif at(otherwise, "matcher") is not None:
        yield from _ways(at(otherwise, "matcher"), name)
    subject = text(tree, "matcher_tree", "input", "name")
    for condition, outcome in _branches(at(tree, "matcher_tree")):
        if text(outcome, "action", "name") == name:
            yield f"{subject}{condition}"
        elif at(outcome, "matcher") is not None:
            yield from (f"{subject}{condition} -> {way}" for way in _ways(at(outcome, "matcher"), name))


def _branches(tree: Any) -> Iterator[tuple[str, Any]]:
    for kind, sign in (("exact_match_map", "="), ("prefix_match_map", "^")):
        for key, outcome in (at(tree, kind, "map") or {}).items():
            yield f"{sign}{key}", outcome
    custom = at(tree, "custom_match", "typed_config")
    if type_of(custom) != _IP_MATCHER:
        return
    for matcher in each(custom, "range_matchers"):
        for one in each(matcher, "ranges"):
            # A range of one address is shown as that address.
            whole = number(one, "prefix_len") in (32, 128)
            yield f"={text(one, 'address_prefix') if whole else _range(one)}", at(matcher, "on_match")
