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


def type_of(node: Node) -> str:
    """`vector`, `matrix`, `scalar` or `string`."""
    kind = node["type"]
    if kind in ("parenExpr", "unaryExpr"):
        return type_of(node["expr"])
    if kind == "call":
        return str(node["func"]["returnType"])
    if kind == "binaryExpr":
        return "scalar" if type_of(node["lhs"]) == type_of(node["rhs"]) == "scalar" else "vector"
    return _OF_NODES[kind]


def worded(node: Node) -> str:
    return _WORDS[type_of(node)]


def check_binary(node: Node, fault: Fault) -> None:
    """Refuse operands and modifiers that do not fit; matching goes where there is nothing to match."""
    op, sides = node["op"], (type_of(node["lhs"]), type_of(node["rhs"]))
    if not set(sides) <= {"scalar", "vector"}:
        raise fault("binary expression must contain only scalar and instant vector types")
    if node["bool"] and op not in _COMPARISONS:
        raise fault("bool modifier can only be used on comparison operators")
    if op in _COMPARISONS and not node["bool"] and set(sides) == {"scalar"}:
        raise fault("comparisons between scalars must use BOOL modifier")
    if op in _SETS and "scalar" in sides:
        raise fault(f'set operator "{op}" not allowed in binary scalar expression')
    if op in _SETS and node["matching"]["card"] != "many-to-many":
        raise fault(f'no grouping allowed for "{op}" operation')
    if set(sides) != {"vector"}:
        if node["matching"]["labels"]:
            raise fault("vector matching only allowed between instant vectors")
        node["matching"] = None


def check_aggregation(op: str, arguments: list[Node], fault: Fault) -> Node | None:
    """The parameter of the aggregation, if it has one."""
    wanted = parameter_of(op)
    expected = 2 if wanted else 1
    if not arguments:
        raise fault("no arguments for aggregate expression provided")
    if len(arguments) != expected:
        told = f"expected {expected}, got {len(arguments)}"
        raise fault(f"wrong number of arguments for aggregate expression provided, {told}")
    _check(arguments[-1], "vector", f"aggregation expression {op}", fault)
    if wanted:
        _check(arguments[0], wanted, "aggregation parameter", fault)
    return arguments[0] if wanted else None


def check_call(function: Function, arguments: list[Node], fault: Fault) -> None:
    if not function.takes(len(arguments)):
        wanted = f"{len(function.arguments)}{'' if not function.variadic else ' or so'}"
        raise fault(f"expected {wanted} argument(s) in call to {function.name!r}, got {len(arguments)}")
    for index, argument in enumerate(arguments):
        _check(argument, function.type_at(index), f'call to function "{function.name}"', fault)


def check_subquery(node: Node, fault: Fault) -> None:
    if type_of(node) != "vector":
        raise fault(f"subquery is only allowed on instant vector, got {worded(node)} instead")


def _check(node: Node, wanted: str, where: str, fault: Fault) -> None:
    if type_of(node) != wanted:
        raise fault(f"expected type {_WORDS[wanted]} in {where}, got {worded(node)}")
