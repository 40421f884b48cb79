"""Plays earcons and speaks, in a process of its own: neither screen nor control ever waits for a sound."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import queue
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from collector.session.sounds.voice import NO_VOICE, Voice, find_program

_MOST_WAITING = 8  # orders: a pilot does not want to hear what was a while ago
_TEND_S = 0.03  # how often a voice is looked after while it speaks
_LAST_WORDS_S = 4.0  # what is being said when the session ends may be said to its end


class Speaker:
    """Sounds and a voice; where this machine has none, it says why and everything else goes on.

    Make it before the screen takes the terminal: it starts a process.

    Args:
        earcons: Whether events sound.
        voice: Whether sentences are spoken.
    """

    def __init__(self, earcons: bool, voice: bool) -> None:
        self._silent_because = None if earcons else "sounds are off"
        self._mute_because = None if voice else "the voice is off"
        self._closed = False
        self._orders: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        if not (earcons or voice):
            self._closed = True
            return
        spawn = multiprocessing.get_context("spawn")
        heard, pipe = spawn.Pipe(duplex=False)
        self._answers, answers = spawn.Pipe(duplex=False)
        self._process = spawn.Process(
            target=run_speaker, args=(heard, answers, earcons, voice), name="speaker", daemon=True
        )
        self._process.start()
        # Only the process may hold these ends: it ends when ours is gone, however we died.
        heard.close()
        answers.close()
        # A pipe that is full makes its writer wait: that is this thread, and never the caller.
        self._carrier = threading.Thread(target=self._carry, args=(pipe,), name="speaker", daemon=True)
        self._carrier.start()

    @property
    def silent_because(self) -> str | None:
        """Why no earcon can be heard; None where they can, as far as is known. Never waits."""
        self._hear()
        return self._silent_because

    @property
    def mute_because(self) -> str | None:
        """Why no sentence is spoken; None where they are, as far as is known. Never waits."""
        self._hear()
        return self._mute_because

    def play(self, event: str, words: str = "") -> bool:
        """Let an event be heard, and its words be spoken; never waits and never raises.

        Returns:
            Whether anything of it may be heard; where not, the caller can ring the terminal's bell.
        """
        self._hear()
        spoken = bool(words) and self._mute_because is None
        if self._closed or (self._silent_because is not None and not spoken):
            return False
        try:
            self._orders.put_nowait(json.dumps({"event": event, "words": words[:400]}).encode())
        except queue.Full:
            return False
        return True

    def close(self, patience_s: float = 2.0) -> None:
        """End; what is being played may end first, for so long."""
        if self._closed:
            return
        self._hear()
        self._closed = True
        deadline = time.monotonic() + patience_s
        if self._carrier.is_alive():
            with contextlib.suppress(queue.Full):
                self._orders.put(None, timeout=patience_s)
        self._carrier.join(max(0.0, deadline - time.monotonic()))
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._answers.close()

    def _carry(self, pipe: Connection) -> None:
        with pipe, contextlib.suppress(OSError):  # a process that died says so by its answers' end
            while (order := self._orders.get()) is not None:
                pipe.send_bytes(order)

    def _hear(self) -> None:
        if self._closed:
            return
        try:
            while self._answers.poll():
                message = json.loads(self._answers.recv_bytes())
                if message["about"] == "sounds":
                    self._silent_because = message["because"]
                else:
                    self._mute_because = message["because"]
        except (OSError, EOFError):
            self._silent_because = self._silent_because or "the process that plays sounds has died"
            self._mute_because = self._mute_because or "the process that speaks has died"


def run_speaker(orders: Connection, answers: Connection, earcons: bool, voice: bool) -> None:
    """Entry point of the process; ends when the other end of `orders` is gone."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # the last sound comes after them
    # ALSA writes its troubles to the terminal, which the cockpit has.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)

    def tell(about: str, because: str | None) -> None:
        with contextlib.suppress(OSError):
            answers.send_bytes(json.dumps({"about": about, "because": because}).encode())

    player = _Player() if earcons else None
    if player is not None and player.silent_because:
        tell("sounds", player.silent_because)
    program = find_program() if voice else None
    if voice and program is None:
        tell("voice", NO_VOICE)
    speech, failed = None if program is None else Voice(program), None
    while True:
        if speech is not None:
            busy = speech.tend()
            if speech.failed != failed:
                failed = speech.failed
                tell("voice", failed)
            if busy and not orders.poll(_TEND_S):
                continue
        try:
            order = json.loads(orders.recv_bytes())
        except (EOFError, OSError):
            break
        if player is not None:
            player.play(order["event"])
        if speech is not None and order["words"]:
            speech.say(order["words"])
    _end(player, speech)


def _end(player: _Player | None, speech: Voice | None) -> None:
    deadline = time.monotonic() + _LAST_WORDS_S
    while time.monotonic() < deadline:
        speaking = speech is not None and speech.tend()
        if not speaking and not (player is not None and player.playing()):
            break
        time.sleep(_TEND_S)
    if speech is not None:
        speech.stop()
    if player is not None:
        player.close()


class _Player:
    """Earcons through SDL.

    Attributes:
        silent_because: Why nothing can be heard; None where it can.
    """

    def __init__(self) -> None:
        self._mixer: Any = None
        self._channel: Any = None
        self._sounds: dict[str, Any] = {}
        self.silent_because: str | None = None
        os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
        if os.environ.get("SDL_AUDIODRIVER") == "dummy":
            self.silent_because = "SDL_AUDIODRIVER=dummy plays to nobody"
            return
        try:
            import pygame
        except ImportError as error:
            self.silent_because = f"pygame is missing ({error}): pip install 'demodeck[hardware]'"
            return
        from collector.session.sounds.earcons import RATE_HZ

        try:
            pygame.mixer.init(RATE_HZ, -16, 1, 1024, allowedchanges=0)
        except (pygame.error, NotImplementedError) as error:  # no device; pygame built without its mixer
            self.silent_because = f"this machine plays no sound: {error}"
            return
        self._mixer, self._channel = pygame.mixer, pygame.mixer.Channel(0)

    def play(self, event: str) -> None:
        """Play an event's earcon after the one that sounds, or what is urgent at once; only the newest waits."""
        from collector.session.sounds.earcons import EARCONS, URGENT, synthesise

        if self._mixer is None or event not in EARCONS:
            return
        if event not in self._sounds:
            self._sounds[event] = self._mixer.Sound(buffer=synthesise(EARCONS[event]).tobytes())
        if event in URGENT or not self._channel.get_busy():
            self._channel.play(self._sounds[event])
        else:
            self._channel.queue(self._sounds[event])

    def playing(self) -> bool:
        """Return whether anything still sounds."""
        return self._mixer is not None and self._mixer.get_busy()

    def close(self) -> None:
        """Let the audio device go."""
        if self._mixer is not None:
            self._mixer.quit()
