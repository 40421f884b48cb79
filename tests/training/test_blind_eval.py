"""Policies on a robot, judged by a person: flown in turns that nobody is told, and counted scene by scene."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter

import pytest
from rigs.commands import PROJECT, environment
from rigs.fault_rig.log import read_log
from rigs.fault_rig.motion import JOINTS
from rigs.tmux import AVAILABLE, Tmux
from test_train_command import one_line, train

import demodeck
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.teleoperators.blind import Blind, BlindConfig, place_of
from training.results import load_result

ROBOT = ["--robot.discover_packages_path=rigs.fault_rig", "--robot.type=rig_arm"]
FLYING = r"(?:[1-9]|\d\d) of 60 s"


@pytest.fixture(scope="module")
def policies(tmp_path_factory, write_dataset):
    """Two small policies for the rig's arm, of one dataset."""
    folder = tmp_path_factory.mktemp("policies")
    data = write_dataset(folder / "data", joints=JOINTS, columns=["observation.state", "action"])
    for seed in (1, 2):
        assert train(data, folder / f"p{seed}", "--steps=5", f"--seed={seed}") == 0
    return [folder / "p1", folder / "p2"]


def test_every_scene_is_flown_by_all_in_an_order_that_does_not_favour_any():
    orders = Counter()
    for scene in range(600):
        turns = [place_of(3 * scene + turn, 3, "secret") for turn in range(3)]
        assert {flown for flown, _ in turns} == {scene}
        assert {which for _, which in turns} == {0, 1, 2}
        orders[tuple(which for _, which in turns)] += 1
    assert len(orders) == 6
    assert all(60 <= count <= 140 for count in orders.values()), orders
    assert place_of(7, 3, "secret") == place_of(7, 3, "secret")
    assert any(place_of(n, 3, "secret") != place_of(n, 3, "another") for n in range(30))


def test_the_pilot_hands_each_flight_to_the_policy_whose_turn_it_is(policies):
    paths = [str(path) for path in policies]
    pilot = Blind(BlindConfig(paths=paths, secret="s", device="cpu"))
    pilot.connect()
    seen = dict.fromkeys(JOINTS, 3.0)
    alone = []
    for policy in pilot.policies:
        policy.reset(0)
        policy.observe(seen)
        alone.append(policy.get_action())
    assert alone[0] != alone[1]
    for seed in range(8):
        pilot.reset(seed)
        pilot.observe(seen)
        assert pilot.get_action() == alone[place_of(seed, 2, "s")[1]]
    pilot.disconnect()


def test_what_is_asked_of_the_scene_gives_nothing_away(policies):
    pilots = [
        Blind(BlindConfig(paths=[str(path) for path in policies], secret=secret)) for secret in ("a", "bc")
    ]
    told = [[pilot.briefing(seed) for seed in range(20)] for pilot in pilots]
    assert told[0] == told[1]
    assert told[0][:3] == [
        "scene 1: place it anew; remember how",
        "scene 1 again (flight 2 of 2): as it was before",
        "scene 2: place it anew; remember how",
    ]


@pytest.mark.slow
@pytest.mark.skipif(not AVAILABLE, reason="tmux, the terminal of these tests, is not installed")
def test_a_person_judges_two_policies_and_goes_on_later(policies, tmp_path, capsys):
    out, log = tmp_path / "out", tmp_path / "arm.log"
    folder = tempfile.mkdtemp(prefix="rig")
    command = [
        sys.executable, PROJECT / "demodeck.py", "eval", f"--policies=[{policies[0]},{policies[1]}]",
        *ROBOT, f"--robot.log={log}", f"--output={out}", "--episodes=1", "--task=wave",
    ]  # fmt: skip
    env = environment(tmp_path / "home") | {"XDG_RUNTIME_DIR": folder}
    screen = Tmux(command, env)
    try:
        screen.wait_for("scene 1: place it anew")
        for judged, after in (("+", r"scene 1 again \(flight 2 of 2\)"), ("-", "all flights are flown")):
            screen.send("Right")
            screen.wait_for(FLYING)
            screen.send(judged)
            screen.wait_for(after)
        screen.send("Right")
        screen.wait_for("2 episodes kept")
        assert not any(path.name in screen.capture(history=True).split() for path in policies)
        screen.send("q")
        assert screen.wait_for_end() == 0
    finally:
        screen.close()
        shutil.rmtree(folder, ignore_errors=True)

    secret = json.loads((out / "blind.json").read_text())["secret"]
    first = place_of(0, 2, secret)[1]
    results = [load_result(out / f"p{number}.json") for number in (1, 2)]
    assert [result["successes"] for result in results] == [1 - first, first]
    assert [result["seeds"] for result in results] == [[0], [0]]
    assert results[0]["policy"]["type"] == "bc"
    flights = Dataset.open(out / "flights")
    asked = [entry for entry in read_log(log) if entry["what"] == "act"]
    held = len(asked) - flights.num_frames
    # Between the flights and at the end the arm is asked to stay where it is, and of nothing else.
    assert held <= 6, (
        f"{held} orders beside {flights.num_frames} frames: it moved while the scene was put back"
    )

    # Nothing is left to fly: the outcomes are counted again, as they are labelled now.
    Labels(out / "flights").set([0], "success", False, author="referee")
    assert demodeck.main(["eval", "--resume=true", f"--output={out}", "--episodes=1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["name"], row["successes"], row["n_paired"]) for row in rows] == [("p1", 0, 1), ("p2", 0, 1)]


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (["--policies=[a,b]"], 2, "add --output=DIR"),
        (["--policies=[]", "--output=OUT"], 2, "give them as --policies=[A,B]"),
        (["--policies=[/no/such]", "--output=OUT"], 3, "/no/such"),
        (["--policies=[P1,P1]", "--names=[a,a]", "--output=OUT"], 2, "give 2 different names"),
        (["--policies=[P1,P2]", "--names=[a/b,c]", "--output=OUT"], 2, "none may hold '/'"),
        (["--policies=[P1,P2]", "--output=OUT", "--teleop.type=pad"], 2, "--teleop.type cannot be given"),
        (["--policies=[P1,P2]", "--output=OUT", "--episodes=none"], 2, "a number of scenes"),
        (["--resume=true", "--output=OUT", "--policies=[P1,P2]"], 3, "no comparison to go on with"),
    ],
)
def test_wrong_flags_cost_one_line_and_leave_nothing(policies, tmp_path, capsys, flags, code, says):
    put = {"OUT": str(tmp_path / "out"), "P1": str(policies[0]), "P2": str(policies[1])}
    for word, path in put.items():
        flags = [flag.replace(word, path) for flag in flags]
    assert demodeck.main(["eval", *ROBOT, *flags]) == code
    assert says in one_line(capsys)
    assert not (tmp_path / "out").exists()


def test_policies_of_different_rates_are_not_compared(policies, tmp_path, capsys):
    slower = tmp_path / "slower"
    shutil.copytree(policies[0], slower, symlinks=True)
    for path in slower.glob("checkpoints/0*/pretrained_model/config.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"fps": 10}))
    flags = [f"--policies=[{policies[0]},{slower}]", f"--output={tmp_path / 'out'}"]
    assert demodeck.main(["eval", *ROBOT, *flags]) == 7
    assert "differ in their control rate" in one_line(capsys)
    assert not (tmp_path / "out").exists()


def test_a_simulation_needs_no_person(policies, tmp_path, capsys):
    pytest.importorskip("gym_pusht")
    flags = [f"--policies=[{policies[0]}]", f"--output={tmp_path / 'out'}", "--robot.type=sim_pusht"]
    assert demodeck.main(["eval", *flags]) == 2
    assert "needs no person to judge" in one_line(capsys)
    assert not (tmp_path / "out").exists()
