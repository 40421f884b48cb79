"""Arithmetic over a frame's entries, written down by a stranger: parsed, checked and computed, never run as Python.

norm(cube.x_m - 0.22, cube.y_m)             entries by the names that the dataset gives them
observation.environment_state[2] > 0.04     or by column and place; comparisons give 0 or 1
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from collector.errors import UsageError, shown

MOST_NODES = 500  # parts of one expression


def _norm(*parts: np.ndarray) -> np.ndarray:
    return np.sqrt(sum(part**2 for part in parts))


FUNCTIONS: dict[str, tuple[Callable[..., np.ndarray], int, int]] = {  # what it is, and how many arguments
    "abs": (np.abs, 1, 1),
    "sqrt": (np.sqrt, 1, 1),
    "exp": (np.exp, 1, 1),
    "log": (np.log, 1, 1),
    "sin": (np.sin, 1, 1),
    "cos": (np.cos, 1, 1),
    "atan2": (np.arctan2, 2, 2),
    "radians": (np.radians, 1, 1),
    "min": (lambda *parts: np.minimum.reduce(np.broadcast_arrays(*parts)), 2, 64),
    "max": (lambda *parts: np.maximum.reduce(np.broadcast_arrays(*parts)), 2, 64),
    "clip": (np.clip, 3, 3),
    "norm": (_norm, 1, 64),
}
_OPERATORS: dict[type, Callable[..., np.ndarray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
_CONSTANTS = {"pi": math.pi}


class Entries:
    """Which entry of which column a name means.

    Attributes:
        names: By column, the names of its entries; an unnamed column has none and is addressed by place.
        widths: By column, how many entries it has.
    """

    def __init__(self, widths: Mapping[str, int], names: Mapping[str, Sequence[str]]) -> None:
        """Take what a dataset says of its columns."""
        self.widths = dict(widths)
        self.names = {column: list(names.get(column) or []) for column in widths}
        self._places: dict[str, list[tuple[str, int]]] = {}
        for column, width in self.widths.items():
            for place, name in enumerate(self.names[column]):
                self._places.setdefault(name, []).append((column, place))
            if width == 1:
                self._places.setdefault(column, []).append((column, 0))

    def place(self, name: str, text: str) -> tuple[str, int]:
        """Return column and place of a name; the first column that has it, in the order given.

        Raises:
            UsageError: If nothing is called so.
        """
        if name not in self._places:
            raise UsageError(
                f"'{shown(text)}': there is no entry '{shown(name)}'; there are "
                f"{shown(', '.join(self._places), 400)}, or a column and place, as in "
                f"{next(iter(self.widths), 'observation.state')}[0]"
            )
        return self._places[name][0]


class Expression:
    """One expression, checked when it is made."""

    def __init__(self, text: str, entries: Entries) -> None:
        """Parse it.

        Raises:
            UsageError: If it is no arithmetic over the entries.
        """
        self.text, self._entries = text, entries
        try:
            tree = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UsageError(f"'{shown(text)}' cannot be read: {getattr(error, 'msg', error)}") from None
        if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
            raise UsageError(f"'{shown(text)}' has more than {MOST_NODES} parts: split it")
        self._compute = self._compiled(tree.body)
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(self._columns(tree.body)))

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return its value for each frame, float64, (n_frames,); what cannot be computed is NaN or infinite.

        Args:
            columns: By name, (n_frames, dim).
        """
        n = len(next(iter(columns.values())))
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self._compute(columns), np.float64), (n,))

    def _compiled(self, node: ast.AST) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):  # and not bool
            return _always(self._number(node.value))
        if isinstance(node, ast.BinOp | ast.UnaryOp) and type(node.op) in _OPERATORS:
            operator = _OPERATORS[type(node.op)]
            parts = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.operand]
            inner = [self._compiled(part) for part in parts]
            return lambda columns: operator(*(part(columns) for part in inner))
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPERATORS:
            operator = _OPERATORS[type(node.ops[0])]
            inner = [self._compiled(part) for part in (node.left, node.comparators[0])]
            return lambda columns: operator(*(part(columns) for part in inner)).astype(np.float64)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args)
        if isinstance(node, ast.Name) and node.id in _CONSTANTS:
            return _always(_CONSTANTS[node.id])
        place = self._place(node)
        if place is None:
            raise UsageError(
                f"'{shown(self.text)}' holds what is no arithmetic: allowed are numbers, entries, + - * / **, "
                f"< <= > >=, pi and {', '.join(FUNCTIONS)}"
            )
        column, at = place
        return lambda columns: columns[column][:, at].astype(np.float64)

    def _number(self, value: object) -> float:
        assert isinstance(value, int | float)
        try:
            return float(value)
        except OverflowError:
            raise UsageError(f"'{shown(self.text)}' holds a number beyond 1e308") from None

    def _call(
        self, name: str, arguments: Sequence[ast.AST]
    ) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
        if name not in FUNCTIONS:
            raise UsageError(
                f"'{shown(self.text)}': there is no function '{shown(name)}', but {', '.join(FUNCTIONS)}"
            )
        function, least, most = FUNCTIONS[name]
        if not least <= len(arguments) <= most:
            allowed = str(least) if least == most else f"{least} to {most}"
            raise UsageError(
                f"'{shown(self.text)}': {name} takes {allowed} arguments, there are {len(arguments)}"
            )
        inner = [self._compiled(argument) for argument in arguments]
        return lambda columns: function(*(part(columns) for part in inner))

    def _place(self, node: ast.AST) -> tuple[str, int] | None:
        """Return column and place of an entry, or None where the node is none."""
        if isinstance(node, ast.Subscript):
            column, at = _dotted(node.value), node.slice
            if column is None or not isinstance(at, ast.Constant) or type(at.value) is not int:
                return None
            if column not in self._entries.widths:
                raise UsageError(
                    f"'{shown(self.text)}': there is no column '{shown(column)}', but "
                    f"{', '.join(self._entries.widths)}"
                )
            if not 0 <= at.value < self._entries.widths[column]:
                raise UsageError(
                    f"'{shown(self.text)}': {shown(column)} has entries 0 to {self._entries.widths[column] - 1}"
                )
            return column, at.value
        name = _dotted(node)
        return None if name is None else self._entries.place(name, self.text)

    def _columns(self, node: ast.AST) -> list[str]:
        """Return the columns that are read."""
        if isinstance(node, ast.Name) and node.id in _CONSTANTS:
            return []
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            place = self._place(node)
            return [] if place is None else [place[0]]
        if isinstance(node, ast.Call):
            return [column for part in node.args for column in self._columns(part)]
        return [column for part in ast.iter_child_nodes(node) for column in self._columns(part)]


def _always(value: float) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    constant = np.array(value, np.float64)
    return lambda columns: constant


def _dotted(node: ast.AST) -> str | None:
    """Return `a.b.c` of the names that Python's grammar makes of it, or None."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None
