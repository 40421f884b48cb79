"""One recording session, from the flags to the disconnected robot."""

from __future__ import annotations

import contextlib
import json
from multiprocessing.connection import Connection
from typing import Any

from collector.session import ipc
from collector.session.attach import Berth
from collector.session.config import RecordConfig
from collector.session.features import Recording
from collector.session.fly import DeviceGoneError, FlightResult
from collector.session.pacing import lateness_ms
from collector.session.port import ScreenPort
from collector.session.realtime import collect_garbage
from collector.session.sitting import Sitting
from collector.session.state import Event, State
from collector.teleoperators.protocols import Briefing


class RecordSitting(Sitting):
    """One recording session, from the flags to the disconnected robot."""

    def __init__(
        self,
        config: RecordConfig,
        screen: ScreenPort,
        recorder: Connection,
        interactive: bool,
        berth: Berth,
    ) -> None:
        self.recorder, self.config = recorder, config
        self.data = data = config.dataset
        told = {"push": data.push_to_hub, "private": data.private, "repo_id": data.repo_id}
        super().__init__(config, screen, data.fps, interactive, berth, **told)
        self.berth = berth
        self.recording = Recording.of(self.rig.robot)
        self.ring = ipc.Ring(self.recording.features)
        self.sink = ipc.RingSink(self.ring, recorder, self.recording, wait=self.rig.lock_step)
        self.helm.handlers |= {Event.TAKE_BACK: self._take_back, Event.BRING_BACK: self._take_back}
        self.helm.between |= {Event.SUCCEED: self._mark, Event.MISS: self._mark}
        self.first = 0  # the session's first episode
        self.saved = 0  # flights handed to the recorder to be kept
        self.partial: set[int] = set()  # episodes that something interrupted: they are kept, and flown again
        self.taken_back: list[int] = []  # episodes, in the order in which they were taken back

    def run(self) -> None:
        with contextlib.closing(self):
            self.first = self._open_dataset()
            with self.flights.flying():
                self._tell(
                    "flying",
                    root=str(self.data.root),
                    episodes=self.first,
                    wanted=self.data.num_episodes,
                    lock_step=self.rig.lock_step,
                    fps=self.data.fps,
                )
                if self.display == "cockpit" and self.config.rig_check:
                    self._look_at_rig(self.data.root)
                if isinstance(self.rig.pilot, Briefing):
                    self._put_scene_back()
                while True:
                    try:
                        if not self._another():
                            break
                        self.flights.align()
                        if self.helm.state is State.READY:
                            self._fly_one()
                    except DeviceGoneError as gone:
                        self.flights.await_device(gone)
                if self.helm.state is not State.STOPPING:
                    self.helm.take(Event.STOP)
                ipc.send(self.recorder, "close")
                closed = self._await_recorder("closed")
                self.helm.take(Event.FINISHED)
            self._tell("done", **{k: v for k, v in closed.items() if k != "kind"})

    def close(self) -> None:
        """Remove the memory that recorder and screen look at."""
        super().close()
        self.ring.close()

    def _seed(self) -> int:
        """Return the seed of the next flight."""
        return self.config.seed + self.first + self.saved

    def _another(self) -> bool:
        """Wait until the next flight may begin; return whether there is to be one.

        In the cockpit the person has the last word: the last flight can be marked or taken back.
        """
        stays = self.display == "cockpit"
        if self._enough() and not stays:
            return False
        if self._enough() and self.helm.state is State.READY:
            self._tell("enough")
            self.helm.take(Event.PAUSE)
        return self.flights.ready() and not self._enough()

    def _open_dataset(self) -> int:
        """Let the recorder create or open the dataset; return how many episodes it holds."""
        ipc.send(
            self.recorder,
            "open",
            root=str(self.data.root),
            resume=self.config.resume,
            fps=self.data.fps,
            robot_type=self.rig.robot.name,
            features=self.recording.features,
            ring=self.ring.name,
            encoder=vars(self.data.rgb_encoder) | {"threads": self.data.encoder_threads},
            lock_step=self.rig.lock_step,
            berth=vars(self.berth) if self.display == "cockpit" else None,
        )
        opened = self._await_recorder("opened")
        if self.reattach_s:
            self.berth.announce(f"recording into {self.data.root}")
        if self.recording.camera_names:
            self._tell("encoder", words=opened["encoder"])
        if opened["recovered"]:
            self._tell("recovered", episodes=opened["recovered"])
        return opened["episodes"]

    def _await_recorder(self, kind: str) -> dict[str, Any]:
        while True:
            try:
                message = ipc.receive(self.recorder)
            except EOFError as error:
                raise ipc.RecorderLostError(ipc.LOST_TEXT) from error
            if message is not None and message["kind"] == "error":
                raise ipc.error_of(message)
            if message is not None and message["kind"] == kind:
                return message

    def _fly_one(self) -> None:
        """Fly and save one episode, and let the scene be put back if another follows."""
        seed = self._seed()
        self._begin(seed)
        self.sink.lost = 0
        limit_s, episode = self._time_limit_s(), self.first + self.saved
        self._tell("take", number=self._kept() + 1, episode=episode, task=self._task(), limit_s=limit_s)
        self.helm.take(Event.BEGIN)
        self.helm.mark()
        options = {"stop_on_success": self.config.stop_on_success}
        try:
            result = self.flights.fly(seed, self.sink, limit_s, **options)
        except DeviceGoneError as gone:
            self._end(gone.flown, interrupted=True)
            raise
        self._end(result, interrupted=self._was_cut(result))
        if not self._enough() and self.helm.state is State.READY:
            self._put_scene_back()
            collect_garbage()

    def _was_cut(self, result: FlightResult) -> bool:
        """Return whether something else than the person or the pilot ended a flight."""
        unseen = result.reason == Event.UNSEEN.value
        return unseen or self.helm.lost_screen or self.helm.state is State.HALTED

    def _own(self) -> range:
        """Return the episodes of this session."""
        return range(self.first, self.first + self.saved)

    def _kept(self) -> int:
        """Return how many whole episodes of this session are kept."""
        return len(set(self._own()) - set(self.taken_back) - self.partial)

    def _enough(self) -> bool:
        return self._kept() >= self.data.num_episodes

    def _time_limit_s(self) -> float:
        limit_s = self.data.episode_time_s
        return min(limit_s, self.rig.robot.task.time_limit_s) if self.rig.simulated else limit_s

    def _task(self) -> str:
        return self.data.single_task or (self.rig.robot.task.instruction if self.rig.simulated else "")

    def _begin(self, seed: int) -> None:
        seeded = self.rig.simulated or hasattr(self.rig.pilot, "observe")
        ipc.send(
            self.recorder,
            "begin",
            task=self._task(),
            action_names=self.recording.action_names,
            seed=seed if seeded else None,
            pilot=self.config.teleop.type,  # type: ignore[union-attr]
            fps=self.data.fps,
        )
        self._await_recorder("ready")  # at once, unless too many flights wait to be sealed

    def _end(self, result: FlightResult, interrupted: bool) -> None:
        if self.helm.state is State.RECORDING:
            self.helm.take(Event.END)
        discard = result.discard or not result.ticks
        summary = {
            "success": result.success,
            "missed_ticks": result.missed_ticks + self.sink.lost,
            "clipped_ticks": sum(result.clipped.values()),
            "interrupted": interrupted,
            "reason": result.reason,
            "camera_faults": json.dumps(result.camera_faults) if result.camera_faults else None,
        }
        if not ipc.send(self.recorder, "end", discard=discard, clipped=result.clipped, **summary):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)
        ipc.check_for_error(self.recorder)
        self._tell(
            "flown",
            ticks=result.ticks,
            late_ms=lateness_ms(result.lateness_s),
            lost=self.sink.lost,
            asked_again=result.asked_again,
            clipped=result.clipped,
            discard=discard,
            **summary,
        )
        if not discard:
            if interrupted:
                self.partial.add(self.first + self.saved)
            self.saved += 1
            self.helm.cue("saved")

    def _put_scene_back(self) -> None:
        """Let the person put the scene back, as the pilot may ask; nothing is recorded."""
        if self.rig.simulated or self.data.reset_time_s <= 0:
            return
        if isinstance(self.rig.pilot, Briefing):
            self._tell("briefing", words=self.rig.pilot.briefing(self._seed()))
        self._tell("reset", seconds=self.data.reset_time_s)
        self.helm.mark()
        self.flights.put_scene_back(self.data.reset_time_s)

    def _take_back(self, event: Event, content: dict[str, Any]) -> None:
        """Take a saved episode of this session back, or bring one back that was; by default the last one."""
        episode, own = content.get("episode"), self._own()
        away = event is Event.TAKE_BACK
        candidates = [e for e in own if e not in self.taken_back] if away else self.taken_back
        if episode is None and candidates:
            episode = candidates[-1]
        if episode not in candidates:
            named = "no episode can be" if episode is None else f"episode {episode} cannot be"
            these = ", ".join(map(str, candidates)) or "none"
            why = f"{named} {'taken' if away else 'brought'} back; of this session can be: {these}"
            self.helm.refuse(event, why)
            return
        (self.taken_back.append if away else self.taken_back.remove)(episode)
        kept = self._kept()
        # The recorder tells the screen, once it is on the disk.
        answer = {"kind": event.value, "episode": episode, "kept": kept}
        if not ipc.send(self.recorder, "taken_back", episodes=self.taken_back, answer=answer):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)

    def _mark(self, event: Event, content: dict[str, Any]) -> None:
        """Mark a saved episode of this session as a success or a failure; by default the last one."""
        own = [episode for episode in self._own() if episode not in self.taken_back]
        if not own:
            self.helm.refuse(event, "no flight is running, and none of this session is saved")
            return
        marked = {"episode": own[-1], "success": event is Event.SUCCEED}
        if not ipc.send(self.recorder, "mark", **marked):
            raise ipc.RecorderLostError(ipc.LOST_TEXT)
