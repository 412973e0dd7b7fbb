"""Types of expressions, and what Prometheus refuses because of them."""

from collections.abc import Callable
from typing import Any

from kmcp_prometheus.promql.functions import Function, parameter_of

Node = dict[str, Any]
Fault = Callable[[str], Exception]
_WORDS = {"vector": "instant vector", "matrix": "range vector", "scalar": "scalar", "string": "string"}
_OF_NODES = {
    "aggregation": "vector",
    "vectorSelector": "vector",
    "matrixSelector": "matrix",
    "subquery": "matrix",
    "numberLiteral": "scalar",
    "stringLiteral": "string",
}
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_SETS = ("and", "or", "unless")


class Typed(dict[str, Any]):
    """A node that knows its type and depth: to look them up from the leaves each time would make long chains slow."""

    value_type: str
    levels: int
    """How many nodes lie between this one and its deepest leaf, both counted."""


def typed(node: Node) -> Typed:
    """The node with its type and depth; its parts have theirs already."""
    found = Typed(node)
    found.value_type = _type(node)
    parts = [node.get("param"), node.get("expr"), node.get("lhs"), node.get("rhs"), *node.get("args", ())]
    found.levels = 1 + max((part.levels for part in parts if isinstance(part, Typed)), default=0)
    return found


def type_of(node: Node) -> str:
    """`vector`, `matrix`, `scalar` or `string`."""
    return node.value_type if isinstance(node, Typed) else _type(node)


def _type(node: Node) -> str:
    kind = node["type"]
    if kind in ("parenExpr", "unaryExpr"):
        return type_of(node["expr"])
    if kind == "call":
        return str(node["func"]["returnType"])
    # Only two scalars make a scalar; with a vector on either side the result is a vector.
    if kind == "binaryExpr":
        return "scalar" if type_of(node["lhs"]) == type_of(node["rhs"]) == "scalar" else "vector"
    return _OF_NODES[kind]


def worded(node: Node) -> str:
    return _WORDS[type_of(node)]


def check_binary(node: Node, fault: Fault) -> None:
    """Refuse operands and modifiers that do not fit; drop the matching where there is nothing to match."""
    op, sides = node["op"], (type_of(node["lhs"]), type_of(node["rhs"]))
    if not set(sides) <= {"scalar", "vector"}:
        raise fault("binary expression must contain only scalar and instant vector types")
    if node["bool"] and op not in _COMPARISONS:
        raise fault("bool modifier can only be used on comparison operators")
    if op in _COMPARISONS and not node["bool"] and set(sides) == {"scalar"}:
        raise fault("comparisons between scalars must use BOOL modifier")
    if op in _SETS and "scalar" in sides:
        raise fault(f'set operator "{op}" not allowed in binary scalar expression')
    _check_matching(node["matching"], op, is_vectors=set(sides) == {"vector"}, fault=fault)
    if set(sides) != {"vector"}:
        node["matching"] = None


def _check_matching(matching: Node, op: str, is_vectors: bool, fault: Fault) -> None:
    if op in _SETS and matching["card"] != "many-to-many":
        raise fault(f'no grouping allowed for "{op}" operation')
    both = [label for label in matching["labels"] if matching["on"] and label in matching["include"]]
    if both:
        raise fault(f'label "{both[0]}" must not occur in ON and GROUP clause at once')
    if matching["labels"] and not is_vectors:
        raise fault("vector matching only allowed between instant vectors")
    if set(matching["fillValues"].values()) != {None}:
        if not is_vectors:
            raise fault("filling in missing series only allowed between instant vectors")
        if op in _SETS:
            raise fault("filling in missing series not allowed for set operators")


def check_aggregation(op: str, arguments: list[Node], fault: Fault) -> Node | None:
    """The parameter of the aggregation, if it has one."""
    wanted = parameter_of(op)
    expected = 2 if wanted else 1
    if not arguments:
        raise fault("no arguments for aggregate expression provided")
    if len(arguments) != expected:
        counts = f"expected {expected}, got {len(arguments)}"
        raise fault(f"wrong number of arguments for aggregate expression provided, {counts}")
    _check(arguments[-1], "vector", f"aggregation expression {op}", fault)
    if wanted:
        _check(arguments[0], wanted, "aggregation parameter", fault)
    return arguments[0] if wanted else None


def check_call(function: Function, arguments: list[Node], fault: Fault) -> None:
    if not function.takes(len(arguments)):
        least, most = function.least, function.most
        wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        raise fault(f'expected {wanted} argument(s) in call to "{function.name}", got {len(arguments)}')
    for index, argument in enumerate(arguments):
        _check(argument, function.type_at(index), f'call to function "{function.name}"', fault)
    # `info` joins the labels of an information metric, which its second argument chooses by labels alone.
    chosen = arguments[1] if function.name == "info" and len(arguments) > 1 else None
    if chosen and (chosen["type"] != "vectorSelector" or chosen["name"]):
        raise fault("expected label selectors only")


def check_subquery(node: Node, fault: Fault) -> None:
    if type_of(node) != "vector":
        raise fault(f"subquery is only allowed on instant vector, got {worded(node)} instead")


def _check(node: Node, wanted: str, where: str, fault: Fault) -> None:
    if type_of(node) != wanted:
        raise fault(f"expected type {_WORDS[wanted]} in {where}, got {worded(node)}")
