"""The pilot `replay`: flies the actions of recorded flights again, tick by tick, as one more teleoperator."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.utils import TeleopEvents
from lerobot.utils.decorators import check_if_already_connected, check_if_not_connected

from collector.dataset.locate import locate
from collector.dataset.reader import Dataset
from collector.errors import DataError, DeviceError, HubError, MismatchError, UsageError
from collector.robots.protocols import Simulated
from collector.robots.scene import RecordedScene
from collector.teleoperators.software import SoftwarePilot

STATE, ENVIRONMENT_STATE, ACTION = "observation.state", "observation.environment_state", "action"
# By this share the flight's rate may differ from the recording's.
RATE_TOLERANCE = 1e-3
# All of a dataset but its videos.
TABLES = ["meta/**", "data/**"]


@TeleoperatorConfig.register_subclass("replay")
@dataclass(kw_only=True)
class ReplayConfig(TeleoperatorConfig):
    """The pilot that flies a recording again (`--teleop.type=replay`).

    Raises:
        UsageError: If a value is out of range.
    """

    # Folder of a dataset, or its name on this machine or on the Hub
    path: str = ""
    # Tag, branch or commit on the Hub
    revision: str | None = None
    # First episode; the flight with seed s takes the s-th from there, and after the last begins again
    episode: int = 0
    # Or the episodes themselves, in this order
    episodes: list[int] = field(default_factory=list)
    # Fly at another rate than the recording's: slower or faster than it was flown
    any_rate: bool = False
    # Give the actions to a simulation that names them otherwise, by their order
    by_position: bool = False
    # A real robot must begin this near to the first action, in its own units (degrees)
    start_within: float = 15.0

    def __post_init__(self) -> None:
        if min([self.episode, *self.episodes]) < 0:
            raise UsageError("--teleop.episode and --teleop.episodes count from 0: give none below")
        if self.episode and self.episodes:
            raise UsageError(
                "--teleop.episode and --teleop.episodes are two ways to choose: give one of them"
            )
        if not self.start_within > 0:
            raise UsageError(f"--teleop.start_within={self.start_within}: it must be above 0")


class Replay(SoftwarePilot):
    """Asks for what a recording's `action` holds, one row a tick, and ends its flight with the last.

    A simulated robot is first brought into the recorded scene (`scene`). Which episode is flown depends on the
    flight's seed alone, so that a flight taken back is flown again and a session resumed goes on.
    """

    config_class = ReplayConfig
    name = "replay"

    def __init__(self, config: ReplayConfig) -> None:
        """Find the dataset and read its tables.

        Raises:
            UsageError: If no path is given or there is no such episode.
            DataError: If the dataset is missing or damaged, or lacks names for its actions.
            HubError: If the Hub cannot give it.
        """
        super().__init__(config)
        self.config = config
        self._dataset = Dataset.open(find_dataset(config.path, config.revision))
        n = self._dataset.num_episodes
        self.order = config.episodes or list(range(config.episode, n))
        if not self.order or max(self.order) >= n:
            wrong = max([config.episode, *config.episodes])
            raise UsageError(f"no episode {wrong} in {config.path}: it has 0 to {n - 1}")
        self.names = _names_of(self._dataset, ACTION)
        self._robot_type = self._dataset.info.get("robot_type")
        self._robot_name: str | None = None
        self._real = False
        self._connected = False
        self._actions = np.empty((0, len(self.names)))
        self._next = 0

    @property
    def fps(self) -> int:
        """Rate at which the dataset was flown [Hz]."""
        return int(self._dataset.fps)

    @property
    def action_features(self) -> dict[str, type]:
        return dict.fromkeys(self.names, float)

    @property
    def is_connected(self) -> bool:
        return self._connected

    def fit_to(self, robot: Any) -> None:
        """Take the robot that is to be flown.

        Raises:
            MismatchError: If its actions are not the recording's.
        """
        taken, simulated = list(robot.action_features), isinstance(robot, Simulated)
        if set(taken) != set(self.names):
            fits = simulated and len(taken) == len(self.names)
            if not (fits and self.config.by_position):
                advice = "choose a recording of this robot"
                if fits:
                    advice += ", or give --teleop.by_position=true if the order of the names is the same"
                raise MismatchError(
                    f"the actions in '{self.config.path}' are {', '.join(self.names)}, but robot '{robot.name}' "
                    f"takes {', '.join(taken)}: {advice}"
                )
            self.names = taken
        self._robot_name, self._real = robot.name, not simulated

    @check_if_already_connected
    def connect(self, calibrate: bool = True) -> None:
        """Take up the first episode.

        Raises:
            DataError: If the dataset is damaged.
            DeviceAlreadyConnectedError: If it is connected.
        """
        self._connected = True
        self.reset(0)

    @check_if_not_connected
    def disconnect(self) -> None:
        """Let go of the recording.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        self._connected = False

    def set_control_period(self, dt_s: float) -> None:
        """Compare the flight's rate with the recording's.

        Args:
            dt_s: Time from one `get_action` to the next [s].

        Raises:
            MismatchError: If they differ, unless `any_rate` allows it.
        """
        pace = 1 / (dt_s * self._dataset.fps)
        if abs(pace - 1) > RATE_TOLERANCE and not self.config.any_rate:
            raise MismatchError(
                f"'{self.config.path}' was flown at {self._dataset.fps:g} Hz, this flight runs at {1 / dt_s:g} Hz: "
                f"its actions would follow each other {pace:.3g} times as fast: fly at {self._dataset.fps:g} Hz "
                "(record: --dataset.fps, eval: --fps), or allow it by --teleop.any_rate=true"
            )

    def reset(self, seed: int) -> None:
        """Begin the flight with this seed, from the first action of its episode.

        Raises:
            DataError: If the dataset is damaged.
        """
        self.episode = self.order[seed % len(self.order)]
        names = [name for name in (STATE, ENVIRONMENT_STATE) if name in self._dataset.features]
        columns = self._dataset.episode(self.episode, [ACTION, *names])
        n = len(columns[ACTION])
        self._actions = columns[ACTION].reshape(n, -1).astype(float)
        self._first = {name: columns[name].reshape(n, -1)[0] for name in names}
        self._next = 0

    def scene(self) -> RecordedScene:
        """Return the scene in which the episode was flown. Call it after `reset`."""
        seed = None
        # Another robot's seed means nothing to this one.
        if self._robot_name in (None, self._robot_type) and "seed" in self._dataset.episodes.column_names:
            seed = self._dataset.episodes["seed"][self.episode].as_py()
        return RecordedScene(
            source=f"episode {self.episode} of '{self.config.path}'",
            state=self._first.get(STATE, np.empty(0, np.float32)),
            environment_state=self._first.get(ENVIRONMENT_STATE),
            seed=seed,
        )

    def observe(self, observation: dict[str, Any]) -> None:
        """Look whether a real robot is near enough to begin; what it sees later does not matter.

        Raises:
            DeviceError: If it would leap to the first action.
        """
        if self._next or not self._real:
            return
        for name, goal in zip(self.names, self._actions[0].tolist()):
            off = abs(float(observation.get(name, goal)) - goal)
            if off > self.config.start_within:
                raise DeviceError(
                    f"'{name}' is {off:.1f} from where episode {self.episode} begins "
                    f"(limit {self.config.start_within:g}): move the robot to about {goal:.1f} first, or allow the "
                    "leap by --teleop.start_within="
                )

    @check_if_not_connected
    def get_action(self) -> dict[str, float]:
        """Return this tick's recorded action, in the robot's units; after the last one, that one again.

        Raises:
            DeviceNotConnectedError: If it is not connected.
        """
        row = self._actions[min(self._next, len(self._actions) - 1)]
        self._next += 1
        return dict(zip(self.names, row.tolist()))

    def get_teleop_events(self) -> dict[TeleopEvents, bool]:
        """Return lerobot's events: `TERMINATE_EPISODE` once the last action was given."""
        return {
            TeleopEvents.IS_INTERVENTION: False,
            TeleopEvents.TERMINATE_EPISODE: self._next >= len(self._actions),
            TeleopEvents.SUCCESS: False,
            TeleopEvents.RERECORD_EPISODE: False,
        }


def find_dataset(path: str, revision: str | None = None) -> Path:
    """Find a dataset on this machine, or pull its tables from the Hub.

    Returns:
        Its folder.

    Raises:
        UsageError: If no path is given.
        DataError: If it is not here and no name on the Hub.
        HubError: If the Hub cannot give it.
    """
    if not path:
        raise UsageError("which recording? give its folder or its name on the Hub as --teleop.path=")
    if revision is None:
        try:
            return locate(path)
        except DataError:
            if Path(path).expanduser().exists() or path.count("/") != 1 or path.startswith((".", "/", "~")):
                raise
    from collector.hub.client import pull

    try:
        return pull(path, repo_type="dataset", revision=revision, allow_patterns=TABLES)
    except HubError as error:
        raise HubError(f"no dataset '{path}' on this machine, and from the Hub: {error}") from error


def _names_of(dataset: Dataset, column: str) -> list[str]:
    """Return the names of a column's entries, however the dataset nests them."""
    names: Any = dataset.features.get(column, {}).get("names")
    if isinstance(names, dict):
        names = list(names.values())
    while isinstance(names, list) and len(names) == 1 and isinstance(names[0], list):
        names = names[0]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or not names:
        raise DataError(
            f"{dataset.root} does not name the entries of '{column}': they cannot be given to a robot"
        )
    return names
