"""Arithmetic over entries: computed as written, and nothing else can be written."""

import numpy as np
import pytest

from collector.dataset.expressions import Entries, Expression
from collector.errors import UsageError

ENTRIES = Entries(
    {"observation.state": 2, "observation.environment_state": 3, "speed": 1},
    {"observation.state": ["a.pos", "b.pos"], "observation.environment_state": ["cube.x_m", "cube.y_m", "z"]},
)
COLUMNS = {
    "observation.state": np.array([[3.0, 4.0], [0.0, -1.0]]),
    "observation.environment_state": np.array([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]),
    "speed": np.array([[2.0], [5.0]]),
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.pos + 2 * b.pos", [11, -2]),
        ("norm(a.pos, b.pos)", [5, 1]),
        ("observation.environment_state[2] - z", [0, 0]),
        ("(cube.x_m > 0.5) * 7", [0, 7]),
        ("min(a.pos, 1, speed) ** 2", [1, 0]),
        ("clip(-b.pos, -2, 0.5)", [-2, 0.5]),
        ("cos(pi)", [-1, -1]),
        ("1 / a.pos", [1 / 3, np.inf]),
    ],
)
def test_it_is_what_is_written(text, values):
    assert Expression(text, ENTRIES)(COLUMNS) == pytest.approx(values)


def test_it_tells_which_columns_it_reads():
    assert Expression("norm(z, speed) + pi", ENTRIES).columns == ("observation.environment_state", "speed")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("__import__('os').system('id')", "holds what is no arithmetic"),
        ("(lambda: 1)()", "no arithmetic"),
        ("[x for x in (1,)]", "no arithmetic"),
        ("'a' * 3", "no arithmetic"),
        ("a.pos.__class__", "there is no entry 'a.pos.__class__'"),
        ("eval(a.pos)", "there is no function 'eval'"),
        ("a.pos if z else 1", "no arithmetic"),
        ("observation.state[2]", "has entries 0 to 1"),
        ("observation.image[0]", "there is no column 'observation.image'"),
        ("observation.state[-1]", "no arithmetic"),
        ("cube.w_m", "there is no entry 'cube.w_m'; there are a.pos, b.pos, cube.x_m"),
        ("clip(z)", "clip takes 3 arguments, there are 1"),
        ("exp(x=1)", "no arithmetic"),
        ("z +", "cannot be read"),
        ("True", "no arithmetic"),
        ("+".join(["z"] * 400), "more than 500 parts"),
        ("(" * 300 + "z" + ")" * 300, "cannot be read"),
        ("9" * 5000, "cannot be read"),
        ("9" * 4000, "a number beyond 1e308"),
    ],
)
def test_all_else_is_refused(text, words):
    with pytest.raises(UsageError, match=words.replace("(", r"\(")):
        Expression(text, ENTRIES)
