"""A whole review in a real terminal, by scripted keys: 50 episodes, a blind second opinion, the Hub, plain lerobot.

    python tests/benchmarks/review_session.py --dataset=DIR [--episodes=50] [--blind=30] [--captures=DIR]

Works on copies of the dataset. ann drops the episodes whose number leaves 3 when divided by 4 and keeps the others,
rates every third, cuts every fifth by ten frames, names what is done in the first, and carries that to the fourth; ben
judges a drawn sample of hers blind, on a copy of his own, by her rule but for every ninth number. ann merges his
words, settles what they differ about and publishes to a Hub in a folder, from which plain lerobot opens the set.
Times are from a key to the player showing the next episode, as `tmux capture-pane` sees it; nobody thinks in between.
CPU is the room's own, decoding included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[1:1] = [str(ROOT), str(ROOT / "tests")]

import psutil  # noqa: E402
from rigs.tmux import Tmux  # noqa: E402

DEMODECK = [sys.executable, str(ROOT / "demodeck.py")]
SHOWN = re.compile(r"episode (\d+)\s+frame")
PLAIN = (
    "from lerobot.datasets.lerobot_dataset import LeRobotDataset as D; d = D('lab/pusht'); i = d[len(d) - 1]; "
    "print(d.num_episodes, 'episodes,', len(d), 'frames;', 'last frame of episode', int(i['episode_index']))"
)


class Reviewer:
    """Presses keys in a room, and notes how long the next episode took."""

    def __init__(self, root: Path, author: str, env: dict[str, str], *flags: str) -> None:
        self.screen = Tmux([*DEMODECK, "review", root, "--author", author, *flags], env, 150, 44)
        self.times: list[float] = []
        self.screen.wait_for(r"episode \d+ +frame")
        self._process = psutil.Process(self.screen.pid).children()[0]

    def cpu_s(self) -> float:
        """Return the processor time that the room has taken so far."""
        used = self._process.cpu_times()
        return used.user + used.system

    def episode(self) -> int:
        """Return which episode the player shows."""
        found = SHOWN.search(self.screen.capture())
        return int(found[1]) if found else -1

    def press(self, key: str, until: str) -> None:
        """Press a key, and wait until the screen says something."""
        self.screen.send(key)
        self.screen.wait_for(until)

    def decide(self, key: str) -> None:
        """Press a key that goes on to the next episode, and wait until that is shown."""
        before, began = self.episode(), time.perf_counter()
        self.screen.send(key)
        while self.episode() in (before, -1):
            if time.perf_counter() - began > 60:
                raise SystemExit(self.screen.capture())
        self.times.append(time.perf_counter() - began)

    def leave(self) -> None:
        """End the review."""
        self.screen.send("q")
        assert self.screen.wait_for_end() == 0, self.screen.capture(history=True)
        self.screen.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dataset", required=True, help="a LeRobot v3.0 folder; it is copied")
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--blind", type=int, default=30)
    parser.add_argument("--captures", help="keep the screens here, as `docs/pictures/draw.py` reads them")
    args = parser.parse_args()
    captures = Path(args.captures or tempfile.mkdtemp(prefix="review-"))
    captures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="review-session-") as name:
        folder = Path(name)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "DEMODECK_"))}
        env |= {"HF_HOME": str(folder / "hf"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        ours, theirs = folder / "pusht", folder / "bens-pusht"
        shutil.copytree(args.dataset, ours)
        subprocess.run(["chmod", "-R", "u+w", str(ours)], check=True)

        def keep(screen: Tmux, about: str) -> None:
            time.sleep(1.0)  # what is being read shall be there
            (captures / f"{about}.ansi").write_text(screen.capture(colours=True))

        ann = Reviewer(ours, "ann", env)
        ann.press("R", r"rank 1 of")
        ann.screen.wait_for("scored: ")
        cpu = {"ann": -ann.cpu_s()}
        first_s = ann_review(ann, args.episodes, lambda about: keep(ann.screen, about))
        cpu["ann"] += ann.cpu_s()
        ann.leave()
        print(f"ann: {first_s[0]:.0f} s", file=sys.stderr)
        shutil.copytree(ours, theirs)
        ben = Reviewer(theirs, "ben", env, "--blind", "--draw", str(args.blind))
        began = time.perf_counter()
        cpu["ben, blind"] = -ben.cpu_s()
        ben_review(ben, args.blind, lambda about: keep(ben.screen, about))
        second_s = time.perf_counter() - began
        cpu["ben, blind"] += ben.cpu_s()
        print(f"ben: {second_s:.0f} s", file=sys.stderr)
        ben.leave()

        ann = Reviewer(ours, "ann", env)
        ann.screen.send("M")
        ann.screen.wait_for("take over the labels")
        ann.screen.send("-l", str(theirs))
        ann.press("Enter", "entries taken over")
        ann.press("K", "Cohen")
        keep(ann.screen, "agreement")
        kappa = re.search(r"ann and ben.*", ann.screen.capture())
        ann.press("Escape", "query trains on")  # a letter at once behind it would be another key
        ann.press("A", "in dispute: < and >")
        keep(ann.screen, "disputes")
        disputes = int(re.search(r"(\d+) in dispute", ann.screen.capture())[1])  # type: ignore[index]
        for left in range(disputes - 1, -1, -1):
            ann.press("<", rf"{left} disputed")
        ann.press("A", "all episodes")
        ann.leave()
        with hub(env, folder):
            ann = Reviewer(ours, "ann", env)
            published = publish(ann, lambda about: keep(ann.screen, about))
            ann.leave()
            plain = subprocess.run(
                [sys.executable, "-c", PLAIN], env=env, capture_output=True, text=True, check=False
            )
        applied = subprocess.run(
            [*DEMODECK, "edit", "apply", str(ours), "--output", str(folder / "clean"), "--dry-run"],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        counts = json.loads(
            subprocess.run(
                [*DEMODECK, "review", str(ours), "--json", "--author", "ann"],
                env=env, capture_output=True, text=True, check=True,
            ).stdout
        )["counts"]  # fmt: skip
    print(
        "| who | decisions that go on | wall [s] | CPU [s] | key to next episode, median [s] | p90 [s] | max [s] |"
    )
    print("|---|---|---|---|---|---|---|")
    for who, times, wall in (("ann", first_s[1], first_s[0]), ("ben, blind", ben.times, second_s)):
        p90 = statistics.quantiles(times, n=10)[-1]
        print(
            f"| {who} | {len(times)} | {wall:.1f} | {cpu[who]:.1f} | {statistics.median(times):.2f} | {p90:.2f} | "
            f"{max(times):.2f} |"
        )
    print(f"\nkappa: {kappa[0].strip() if kappa else '?'}\ndisputes settled: {disputes}")
    print(
        f"counts: {counts}\npublished: {published}\nplain lerobot: {plain.stdout.strip() or plain.stderr[-500:]}"
    )
    print(f"edit apply --dry-run: {applied.stdout.strip() or applied.stderr.strip()}\nscreens: {captures}")
    return 0


def ann_review(ann: Reviewer, episodes: int, keep: Callable[[str], None]) -> tuple[float, list[float]]:
    """Review so many episodes; return the wall time, and how long each next episode took."""
    began = time.perf_counter()
    for n in range(episodes):
        if n % 3 == 0:
            ann.press(str(1 + n % 5), f"rating {1 + n % 5}")
        if n % 5 == 4:
            for key in ("S-Right", ","):
                ann.screen.send(key)
            ann.press("c", r"trim 10, \d+|trim \d+")
        if n == 0:
            ann.screen.send(*["S-Right"] * 3, ".")
            ann.press("g", "what is done")
            ann.screen.send("-l", "go to the block")
            ann.press("Enter", "go to the block")
            ann.screen.send("b")
            ann.screen.wait_for("beside it|comparable")
            keep("player")
            ann.screen.send("b")
        if n == 3:
            ann.press("w", "carried from episode")
        if n == 12:
            keep("queue")
        ann.decide("d" if ann.episode() % 4 == 3 else "k")
    return time.perf_counter() - began, ann.times


def ben_review(ben: Reviewer, n_blind: int, keep: Callable[[str], None]) -> None:
    """Judge the sample; the last of it leads to no other."""
    for n in range(n_blind):
        if n == 2:
            keep("blind")
        at = ben.episode()
        key = "d" if (at % 4 == 3) != (at % 9 == 4) else "k"
        if n < n_blind - 1:
            ben.decide(key)
        else:
            ben.press(key, "no episode of this list waits")


@contextlib.contextmanager
def hub(env: dict[str, str], folder: Path) -> Iterator[None]:
    """Serve a Hub from a folder; the environment then names it."""
    address = folder / "address"
    process = subprocess.Popen(
        [*DEMODECK, "hub", "serve", "--root", str(folder / "hub"), "--port", "0", "--address-file", str(address)],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not address.exists():
        time.sleep(0.1)
    env["HF_ENDPOINT"] = address.read_text().strip()
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def publish(again: Reviewer, keep: Callable[[str], None]) -> str:
    """Publish from the room; return what it says."""
    again.press("P", "publish as")
    again.screen.send("-l", "lab/pusht@v1")
    again.press("Enter", "Publish this")
    keep("publish-plan")
    again.press("y", "verified: ")
    keep("published")
    shown = [
        line.strip(" │")
        for line in again.screen.capture().splitlines()
        if "verified" in line or "commit" in line
    ]
    again.press("Escape", "query trains on")
    return " / ".join(shown)


if __name__ == "__main__":
    raise SystemExit(main())
