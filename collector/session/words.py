"""What a session tells, in sentences for the person."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from collector.session.account import Account

_PATIENCE_S = 3600.0  # a time to put the scene back that is no limit to a person
_TOLD_EVERY_S = 5.0  # how often a lock-step session, which flies many flights a minute, says how far it is


@dataclass(frozen=True)
class Said:
    """One thing said.

    Attributes:
        text: In words; may have several lines.
        alarm: Whether the person must hear it.
    """

    text: str
    alarm: bool = False


class Words:
    """Puts messages into words.

    Args:
        account: What was told before and, of each message, after it.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._told_s = time.monotonic()

    def of(self, message: dict[str, Any]) -> list[Said]:
        """Return what is to be said of a message that the account has taken in."""
        handler = getattr(self, f"_of_{message['kind']}", None)
        said = [] if handler is None else handler(message)
        return (
            [said] if isinstance(said, Said) else [Said(one) if isinstance(one, str) else one for one in said]
        )

    def _of_config(self, message: dict[str, Any]) -> list[str]:
        return [f"not used here: --{', --'.join(message['ignored'])}"] if message["ignored"] else []

    def _of_flying(self, message: dict[str, Any]) -> list[str]:
        held = f", which holds {message['episodes']} episodes" if message["episodes"] else ""
        return [f"recording {message['wanted']} flights at {message['fps']} Hz into {message['root']}{held}"]

    def _of_teleop(self, message: dict[str, Any]) -> list[str]:
        limit = f", for {message['seconds']:g} s" if message["seconds"] else ""
        return [f"flying at {message['fps']} Hz, nothing is recorded{limit}"]

    def _of_recovered(self, message: dict[str, Any]) -> list[str]:
        episodes = message["episodes"]
        return [f"saved {len(episodes)} interrupted flight(s) as episode(s) {episodes}"]

    def _of_briefing(self, message: dict[str, Any]) -> list[str]:
        return [message["words"]] if message["words"] else []

    def _of_reset(self, message: dict[str, Any]) -> list[str]:
        if message["seconds"] >= _PATIENCE_S:
            return ["right arrow when the scene is ready"]
        return [f"put the scene back: {message['seconds']:g} s, or right arrow when it is ready"]

    def _of_refused(self, message: dict[str, Any]) -> list[str]:
        return [f"'{message['event']}' refused: {message['why']}"]

    def _of_encoder(self, message: dict[str, Any]) -> list[str]:
        return [f"video: {message['words']}"]

    def _of_unheld(self, message: dict[str, Any]) -> list[str]:
        return [f"the robot could not be asked to hold still: {' '.join(message['why'].split())}"]

    def _of_unrested(self, message: dict[str, Any]) -> list[str]:
        return [f"the robot did not reach its rest pose: {message['why']}"]

    def _of_aligning(self, message: dict[str, Any]) -> list[str]:
        return ["the robot goes slowly to where the leader stands ..."]

    def _of_gone(self, message: dict[str, Any]) -> Said:
        return Said(
            f"{message['why']}\nthe {message['what']} is looked for, for {message['seconds']:g} s: "
            "what was flown is kept; q ends the session",
            alarm=True,
        )

    def _of_back(self, message: dict[str, Any]) -> Said:
        return Said(f"the {message['what']} is back", alarm=True)

    def _of_paused(self, message: dict[str, Any]) -> list[str]:
        if self._account.enough:
            return []  # more was said of it
        return ["paused" + (": going on" if message["by_itself"] else ": right arrow goes on")]

    def _of_halted(self, message: dict[str, Any]) -> Said:
        words = "HALTED: the robot is held where it is; right arrow frees it, q ends the session"
        return Said(words, alarm=True)

    def _of_enough(self, message: dict[str, Any]) -> list[str]:
        return ["all flights are flown: right arrow ends, u takes the last one back"]

    def _of_practice(self, message: dict[str, Any]) -> list[str]:
        return ["practice: nothing is recorded; right arrow ends it"]

    def _of_clutch(self, message: dict[str, Any]) -> list[str]:
        return ["the robot is held: c lets it follow again" if message["held"] else "the robot follows again"]

    def _of_took_over(self, message: dict[str, Any]) -> list[str]:
        return ["you fly (o hands back)" if message["person"] else "the pilot flies again (o takes over)"]

    def _of_motor(self, message: dict[str, Any]) -> Said:
        return Said(message["words"], alarm=True)

    def _of_realtime(self, message: dict[str, Any]) -> list[str]:
        return list(message["refused"])

    def _of_camera(self, message: dict[str, Any]) -> list[str]:
        return [f"at {message['fault']['from_s']:.1f} s: {message['words']}"]

    def _of_take_back(self, message: dict[str, Any]) -> list[str]:
        return [f"episode {message['episode']} taken back (b brings it back); {message['kept']} kept"]

    def _of_bring_back(self, message: dict[str, Any]) -> list[str]:
        return [f"episode {message['episode']} is kept again; {message['kept']} kept"]

    def _of_marked(self, message: dict[str, Any]) -> list[str]:
        return [
            f"episode {message['episode']} is marked as a {'success' if message['success'] else 'failure'}"
        ]

    def _of_verdict(self, message: dict[str, Any]) -> list[str]:
        if self._account.flying.get("lock_step"):
            return []
        return [f"episode {message['episode']}: {reason['words']}" for reason in message["reasons"]]

    def _of_sealing(self, message: dict[str, Any]) -> list[str]:
        if message["told"] and (
            message["flights"] > 1 or message["pictures"] > self._account.flying.get("fps", 30)
        ):
            return [
                f"still saving {message['flights']} of at most {message['limit']} flights behind this one, "
                f"{message['pictures']} pictures to encode"
            ]
        return []

    def _of_flown(self, message: dict[str, Any]) -> list[str]:
        late, said = message["late_ms"], []
        if late is not None:
            said.append(
                f"{message['ticks']} ticks, late by {late['p50']:.3f} ms (p50), {late['p99']:.3f} (p99), "
                f"{late['max']:.3f} at most"
            )
        if message["discard"]:
            said.append("flight thrown away; flying it again")
        if message["lost"]:
            said.append(f"the recorder could not keep up: {message['lost']} ticks were not recorded")
        if message["clipped"]:
            why = ", ".join(f"{name} {n}" for name, n in sorted(message["clipped"].items()))
            said.append(f"safety changed what was asked for, in ticks: {why}")
        if message["asked_again"]:
            said.append(f"a device did not answer at once {message['asked_again']} times: check its cable")
        return said

    def _of_saved(self, message: dict[str, Any]) -> list[str]:
        account, now_s = self._account, time.monotonic()
        saved, wanted = len(account.saved), account.flying.get("wanted", 0)
        if not account.flying.get("lock_step"):
            outcome = {True: "success, ", False: "no success, ", None: ""}[message["success"]]
            seconds = message["frames"] / account.flying.get("fps", 30)
            return [
                f"episode {message['episode']} saved: {seconds:.1f} s, {outcome}"
                f"{message['missed_ticks']} late ticks, ended by {message['reason']}"
                + (f", {message['camera_faults']} camera faults" if message["camera_faults"] else "")
            ]
        if now_s - self._told_s > _TOLD_EVERY_S or saved == wanted:
            self._told_s = now_s
            per_minute = 60 * saved / (now_s - account.began_s)
            return [f"{saved} of {wanted} flights saved, {per_minute:.0f} a minute"]
        return []

    def _of_done(self, message: dict[str, Any]) -> list[str]:
        if message["taken_back"]:
            return [f"{message['taken_back']} episodes taken back; they lie in {message['kept_in']}"]
        return []
