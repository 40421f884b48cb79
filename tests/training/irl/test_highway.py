"""The highway's rules, its drivers, and what is learnt from two minutes of them."""

import numpy as np
import pytest

from training.irl.apprenticeship import Settings
from training.irl.driving import learn_style, table
from training.irl.highway import COLLISION, FEATURES, LANES, STYLES, frequencies, make_highway, places
from training.irl.strips import draw_strips


@pytest.fixture(scope="module")
def model():
    return make_highway()


def test_cars_fall_back_or_stay_and_leave_and_come(model):
    lane, cars = places(np.arange(model.n_states))
    for action in range(len(LANES)):
        for outcome in range(model.successor.shape[2]):
            likely = model.probability[action, :, outcome] > 0
            to_lane, to_cars = places(model.successor[action, likely, outcome])
            assert (np.abs(to_lane - lane[likely]) <= 1).all()
            assert (np.abs(to_lane - action) <= np.abs(lane[likely] - action)).all()
            moved = cars[likely] - to_cars
            assert set(moved[np.isfinite(moved)]) <= {0.0, 1.0}
            came = np.isnan(cars[likely]) & np.isfinite(to_cars)
            assert set(to_cars[came]) <= {7.0}
            left = np.isfinite(cars[likely]) & np.isnan(to_cars)
            assert set(cars[likely][left]) <= {-2.0}


def test_traffic_is_where_it_begins(model):
    """The first state's cars are distributed as in the long run: a step later they still are."""
    stay = model.transitions(np.full(model.n_states, LANES.index("middle lane")))
    assert stay.T @ model.start == pytest.approx(model.start, abs=1e-12)


def test_features_are_the_lane_and_the_car_in_it(model):
    lane, cars = places(np.arange(model.n_states))
    assert np.linalg.norm(model.features, axis=1).max() == pytest.approx(1)
    assert (model.features[:, :5].argmax(axis=1) == lane).all()
    hit = model.features[:, COLLISION] > 0
    on_road = (lane >= 1) & (lane <= 3)
    assert (hit == (on_road & (cars[np.arange(len(lane)), np.clip(lane - 1, 0, 2)] == 0))).all()
    assert FEATURES[COLLISION] == "car at +0"


def test_the_five_drive_as_their_names_say(model):
    seen = {}
    for style, script in STYLES.items():
        policy = script()
        assert policy.shape == (model.n_states,) and set(policy) <= set(range(len(LANES)))
        shares = frequencies(model, model.expectations(policy).mean)
        assert shares[: len(LANES)].sum() == pytest.approx(1)
        seen[style] = dict(zip((*LANES, "collision"), (*shares[: len(LANES)], shares[COLLISION])))
    assert seen["nice"]["collision"] < 0.005 and seen["nice"]["right lane"] > 0.5
    assert seen["nasty"]["collision"] > 0.15
    assert seen["right lane nice"]["collision"] < 0.005 and seen["right lane nice"]["off-road right"] > 0.2
    assert seen["right lane nasty"]["collision"] > 0.05 and seen["right lane nasty"]["off-road right"] > 0.8
    assert seen["middle lane"]["middle lane"] == pytest.approx(1)


@pytest.mark.parametrize("style", ["right lane nice", "nasty"])
def test_a_style_is_learnt_from_two_minutes(model, style):
    _, found = learn_style(model, style, Settings(iterations=5))
    collision = FEATURES[COLLISION]
    assert found["mixture"][collision] == pytest.approx(found["expert"][collision], abs=0.03)
    assert found["mixture_distance"] < 0.2
    assert table([found]).count("\n") == 6


def test_strips_are_drawn(model, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    policies = {"nasty": (STYLES["nasty"](), STYLES["nice"]())}
    draw_strips(model, policies, 0, tmp_path / "new/strip.png")
    with Image.open(tmp_path / "new/strip.png") as picture:
        assert picture.width > 400
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(214, 39, 40), (31, 119, 180)} <= colours  # a car that hits and one that does not
