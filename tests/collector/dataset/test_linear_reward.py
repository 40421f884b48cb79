"""Features are never longer than 1; a reward is what was saved, and flights are worth what their ends make of them."""

import json

import numpy as np
import pytest

from collector.dataset.feature_maps import fit_entries, fit_fourier, fit_named
from collector.dataset.linear_reward import LinearReward, held_sum
from collector.errors import DataError, UsageError

STATE = "observation.state"
NAMES = {STATE: ["x", "y", "z"]}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return {STATE: np.cumsum(rng.normal(size=(200, 3)), axis=0), "action": rng.normal(size=(200, 2))}


def _maps(table):
    return [
        fit_fourier(table, [STATE, "action"], NAMES, 20, 0.5, seed=1),
        fit_entries(table, [STATE, "action"], NAMES),
        fit_named(table, NAMES, {"far": ("norm(x, y)", (0.0, 3.0), "far off"), "z": ("z", None, "")}),
    ]


def test_features_are_never_longer_than_1(table):
    wild = {name: 1e9 * values for name, values in table.items()}
    for features in _maps(table):
        for frames in (table, wild):
            phi = features(frames)
            assert phi.shape == (200, len(features.names))
            assert np.linalg.norm(phi, axis=1).max() <= 1 + 1e-12
    fourier = _maps(table)[0]
    assert np.linalg.norm(fourier(wild), axis=1) == pytest.approx(1)


def test_fourier_features_approximate_the_gaussian_kernel(table):
    features = fit_fourier(table, [STATE], NAMES, 4000, 1.0, seed=0)
    phi = features(table)
    z = (table[STATE] - features.arrays["mean"]) / features.arrays["std"]
    apart = np.linalg.norm(z[:50, None] - z[None, :50], axis=2)
    rng = np.random.default_rng(0)
    a, b = z[rng.integers(200, size=2000)], z[rng.integers(200, size=2000)]
    bandwidth = np.median(np.linalg.norm(a - b, axis=1))
    kernel = np.exp(-(apart**2) / (2 * bandwidth**2))
    assert np.abs(phi[:50] @ phi[:50].T - kernel).max() < 0.08


def test_named_features_go_from_their_range_to_0_and_1(table):
    written = {"near": ("x", (2.0, -1.0), ""), "off": ("x * 0 + 5", (0.0, 4.0), "")}
    features = fit_named(table, NAMES, written)
    phi = features({STATE: np.array([[2.0, 0, 0], [0.5, 0, 0], [-7.0, 0, 0]])}) * np.sqrt(2)
    assert phi[:, 0] == pytest.approx([0, 0.5, 1])
    assert phi[:, 1] == pytest.approx([1, 1, 1])


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("sqrt(x - 1e6)", DataError, "is NaN in 200 of 200 frames: write it so that it always has a value"),
        ("1 / (x - x)", DataError, "is NaN|is not bounded: give it a range"),
        ("exp(abs(x) * 1e6)", DataError, "is not bounded: give it a range"),
        ("x * 0", UsageError, "is 0 in nearly all frames: give it a range"),
        ("1 + 1", UsageError, "a constant rewards nothing"),
    ],
)
def test_features_that_cannot_be_bounded_are_refused(table, text, kind, words):
    with pytest.raises(kind, match=words):
        fit_named(table, NAMES, {"bad": (text, None, "")})


def test_a_feature_that_loses_its_value_later_is_named(table):
    features = fit_named(table, NAMES, {"root": ("sqrt(x + 1e6)", None, "")})
    with pytest.raises(DataError, match=r"feature 'root' = sqrt\(x \+ 1e6\) is NaN in 1 of 2 frames"):
        features({STATE: np.array([[0.0, 0, 0], [-2e6, 0, 0]])})


def test_what_is_saved_is_what_is_loaded(table, tmp_path):
    for features in _maps(table):
        weights = np.linspace(-0.5, 0.4, len(features.names))
        reward = LinearReward(features, weights, 0.9, {"by": "hand"})
        reward.save(tmp_path / features.kind)
        loaded = LinearReward.load(tmp_path / features.kind)
        assert loaded.learnt == {"by": "hand"} and loaded.discount == 0.9
        assert loaded.features.names == features.names
        assert loaded(table) == pytest.approx(reward(table), abs=1e-5)
    named = json.loads((tmp_path / "named/config.json").read_text())["features"]
    assert named["names"] == ["far", "z"] and named["expressions"] == ["norm(x, y)", "z"]


def test_a_flight_stays_where_it_ended():
    values = np.array([1.0, 2.0, 3.0])
    forever = np.concatenate([values, np.full(2000, 3.0)])
    assert held_sum(values, 0.9) == pytest.approx((forever * 0.9 ** np.arange(len(forever))).sum())
    assert np.isnan(held_sum(np.zeros((0, 2)), 0.9)).all()


def test_worth_does_not_grow_with_length(table):
    features = fit_named(table, NAMES, {"x": ("x", (0.0, 1.0), "")})
    reward = LinearReward(features, np.ones(1), 0.95, {})
    still = {STATE: np.full((130, 3), 0.5)}
    assert reward.worth(still, [30, 100]) == pytest.approx([0.5, 0.5])
    assert np.isnan(reward.worth({STATE: np.zeros((2, 3))}, [2, 0])[1])


def test_what_is_no_reward_is_refused(table, tmp_path):
    with pytest.raises(DataError, match=r"holds no reward \(config.json is missing\)"):
        LinearReward.load(tmp_path)
    features = fit_entries(table, [STATE], NAMES)
    LinearReward(features, np.ones(6), 0.9, {}).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"type": "sarm"}))
    with pytest.raises(DataError, match="of type 'sarm'"):
        LinearReward.load(tmp_path)
    del config["features"]["widths"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="features are damaged"):
        LinearReward.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match="is damaged"):
        LinearReward.load(tmp_path)
    with pytest.raises(DataError, match="need as many finite weights"):
        LinearReward(features, np.full(6, np.nan), 0.9, {})
    with pytest.raises(DataError, match="of 3 entries, here it has 2"):
        features({STATE: np.zeros((4, 2))})
