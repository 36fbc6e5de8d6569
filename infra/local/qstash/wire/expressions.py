"""`Upstash-Retry-Delay`: arithmetic over `retried`, evaluated without `eval`."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Final

_LONGEST_TEXT = 200

_OPERATORS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: math.fmod,
}
_SIGNS: Final[dict[type[ast.unaryop], Callable[[float], float]]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_FUNCTIONS: Final[dict[str, tuple[Callable[..., float], int, int]]] = {
    # name: the function, fewest and most arguments
    "pow": (math.pow, 2, 2),
    "sqrt": (math.sqrt, 1, 1),
    "abs": (math.fabs, 1, 1),
    "exp": (math.exp, 1, 1),
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "round": (round, 1, 1),
    "min": (min, 1, 100),
    "max": (max, 1, 100),
}


def check_expression(text: str) -> None:
    """Raise ValueError, saying what is wrong, unless `text` is an expression that can be evaluated."""
    _check(_parse(text))


def evaluate(text: str, retried: int) -> float:
    """The value of a checked expression in milliseconds, where 0 is the first retry's `retried`.

    Never negative; infinite where the arithmetic overflows. Raises ValueError where it has no value, as in
    `sqrt(0 - 1)`.
    """
    try:
        value = _value(_parse(text), float(retried))
    except (OverflowError, ZeroDivisionError):
        return math.inf
    if math.isnan(value):
        raise ValueError(f"{text!r} has no value for retried = {retried}")
    return max(0.0, value)


def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST_TEXT:
        raise ValueError("the expression is too long")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"cannot parse {text!r}") from error


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            pass
        case ast.Name(id="retried"):
            pass
        case ast.BinOp() if type(node.op) in _OPERATORS:
            _check(node.left)
            _check(node.right)
        case ast.UnaryOp() if type(node.op) in _SIGNS:
            _check(node.operand)
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
            _check_call(name, node.args)
        case _:
            raise ValueError(f"unexpected {ast.unparse(node)!r}")


def _check_call(name: str, arguments: list[ast.expr]) -> None:
    _, fewest, most = _FUNCTIONS[name]
    if not fewest <= len(arguments) <= most:
        raise ValueError(f"{name} does not take {len(arguments)} arguments")
    for argument in arguments:
        _check(argument)


def _value(node: ast.expr, retried: float) -> float:
    match node:
        case ast.Constant(value=(int() | float()) as value):
            return float(value)
        case ast.Name():
            return retried
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_value(node.left, retried), _value(node.right, retried))
        case ast.UnaryOp():
            return _SIGNS[type(node.op)](_value(node.operand, retried))
        case ast.Call(func=ast.Name(id=name)):
            return float(_FUNCTIONS[name][0](*(_value(argument, retried) for argument in node.args)))
    raise ValueError(f"unexpected {ast.unparse(node)!r}")
