"""The recording session's states as one pure table: every (state, event) pair has its answer.

A refused event keeps the state and says why, so that a key pressed at the wrong moment can never linger
and act later.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What the session is doing."""

    READY = "ready"  # connected, between flights; the reset time runs
    RECORDING = "recording"
    PRACTISING = "practising"  # the person flies, nothing is recorded
    PAUSED = "paused"  # between flights, and none begins until the person says so
    HALTED = "halted"  # emergency stop: the robot is held, whatever the pilot asks for
    WAITING = "waiting"  # a device is gone, and is looked for again and again
    STOPPING = "stopping"  # no further flight; sealing what is still open
    FAULT = "fault"  # a device or the recorder failed; the robot is held
    DONE = "done"


class Event(Enum):
    """What may happen to the session."""

    BEGIN = "begin"  # the next flight may begin
    END = "end"  # end the flight and save it; between flights: the scene is ready, go on
    SUCCEED = (
        "succeed"  # end the flight and save it as a success; between flights: the last one was a success
    )
    MISS = "miss"  # end the flight and save it as a failure; between flights: the last one was a failure
    DISCARD = "discard"  # end the flight and throw it away, to be flown again
    TAKE_BACK = "take_back"  # a saved episode of this session shall not be kept
    BRING_BACK = "bring_back"  # one that was taken back shall be kept after all
    PAUSE = "pause"  # end the flight and save it, if one runs; no other begins until `END`
    PRACTISE = "practise"  # fly without recording, until `END`
    CLUTCH = "clutch"  # hold the robot while the leader is moved, or let it follow again
    TAKE_OVER = "take_over"  # let the person fly instead of a program, or hand back
    HALT = "halt"  # emergency stop
    GONE = "gone"  # a device does not answer any more
    BACK = "back"  # it answers again
    UNSEEN = "unseen"  # the screen stands still, or is gone and may come back
    STOP = "stop"  # save what is flown and end the session
    LOST = "lost"  # the screen or its terminal is gone
    FAIL = "fail"  # a device or process failed
    FINISHED = "finished"  # everything is sealed and disconnected


@dataclass(frozen=True)
class Step:
    """The answer to an event: the next state, and why the event was refused (None where it was taken)."""

    state: State
    refused: str | None = None


_TABLE: dict[State, dict[Event, State | str]] = {
    State.READY: {
        Event.BEGIN: State.RECORDING,
        Event.END: State.READY,
        Event.SUCCEED: State.READY,
        Event.MISS: State.READY,
        Event.DISCARD: "no flight is running; 'take_back' takes a saved one back",
        Event.TAKE_BACK: State.READY,
        Event.BRING_BACK: State.READY,
        Event.PRACTISE: State.PRACTISING,
        Event.CLUTCH: State.READY,
        Event.TAKE_OVER: State.READY,
        Event.PAUSE: State.PAUSED,
        Event.HALT: State.HALTED,
        Event.GONE: State.WAITING,
        Event.BACK: "no device was gone",
        Event.UNSEEN: State.PAUSED,
        Event.STOP: State.STOPPING,
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: "the session is not stopping",
    },
    State.RECORDING: {
        Event.BEGIN: "a flight is already running",
        Event.END: State.READY,
        Event.SUCCEED: State.READY,
        Event.MISS: State.READY,
        Event.DISCARD: State.READY,
        Event.TAKE_BACK: State.RECORDING,
        Event.BRING_BACK: State.RECORDING,
        Event.PRACTISE: "a flight is being recorded; end it first",
        Event.CLUTCH: State.RECORDING,
        Event.TAKE_OVER: State.RECORDING,
        Event.PAUSE: State.PAUSED,
        Event.HALT: State.HALTED,
        Event.GONE: State.WAITING,
        Event.BACK: "no device was gone",
        Event.UNSEEN: State.PAUSED,
        Event.STOP: State.STOPPING,
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: "a flight is running",
    },
    State.PRACTISING: {
        Event.BEGIN: "the person practises; 'end' ends it",
        Event.END: State.PAUSED,
        Event.SUCCEED: "practice is not recorded; 'end' ends it",
        Event.MISS: "practice is not recorded; 'end' ends it",
        Event.DISCARD: "practice is not recorded; 'end' ends it",
        Event.TAKE_BACK: State.PRACTISING,
        Event.BRING_BACK: State.PRACTISING,
        Event.PRACTISE: State.PAUSED,
        Event.CLUTCH: State.PRACTISING,
        Event.TAKE_OVER: State.PRACTISING,
        Event.PAUSE: State.PAUSED,
        Event.HALT: State.HALTED,
        Event.GONE: State.WAITING,
        Event.BACK: "no device was gone",
        Event.UNSEEN: State.PAUSED,
        Event.STOP: State.STOPPING,
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: "the person practises",
    },
    State.PAUSED: {
        Event.BEGIN: "the session is paused; 'end' goes on",
        Event.END: State.READY,
        Event.SUCCEED: State.PAUSED,
        Event.MISS: State.PAUSED,
        Event.DISCARD: "no flight is running; 'take_back' takes a saved one back",
        Event.TAKE_BACK: State.PAUSED,
        Event.BRING_BACK: State.PAUSED,
        Event.PRACTISE: State.PRACTISING,
        Event.CLUTCH: State.PAUSED,
        Event.TAKE_OVER: State.PAUSED,
        Event.PAUSE: State.READY,
        Event.HALT: State.HALTED,
        Event.GONE: State.WAITING,
        Event.BACK: "no device was gone",
        Event.UNSEEN: State.PAUSED,
        Event.STOP: State.STOPPING,
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: "the session is not stopping",
    },
    State.HALTED: {
        Event.BEGIN: "the robot is halted; 'end' frees it",
        Event.END: State.PAUSED,  # not at once into the next flight: the arm was halted for a reason
        Event.SUCCEED: "the robot is halted; 'end' frees it",
        Event.MISS: "the robot is halted; 'end' frees it",
        Event.DISCARD: "the robot is halted; the flight is kept, 'take_back' takes it back",
        Event.TAKE_BACK: State.HALTED,
        Event.BRING_BACK: State.HALTED,
        Event.PRACTISE: "the robot is halted; 'end' frees it",
        Event.CLUTCH: "the robot is halted; 'end' frees it",
        Event.TAKE_OVER: "the robot is halted; 'end' frees it",
        Event.PAUSE: "the robot is halted; 'end' frees it",
        Event.HALT: State.HALTED,
        Event.GONE: State.WAITING,
        Event.BACK: "no device was gone",
        Event.UNSEEN: State.HALTED,
        Event.STOP: State.STOPPING,
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: "the session is not stopping",
    },
    State.WAITING: {
        Event.BEGIN: "a device is gone; plug it in again",
        Event.END: "a device is gone; plug it in again",
        Event.SUCCEED: State.WAITING,
        Event.MISS: State.WAITING,
        Event.DISCARD: "a device is gone; the flight is kept, 'take_back' takes it back",
        Event.TAKE_BACK: State.WAITING,
        Event.BRING_BACK: State.WAITING,
        Event.PRACTISE: "a device is gone; plug it in again",
        Event.CLUTCH: "a device is gone; plug it in again",
        Event.TAKE_OVER: "a device is gone; plug it in again",
        Event.PAUSE: "a device is gone; plug it in again",
        Event.HALT: "a device is gone; the robot is held already",
        Event.GONE: State.WAITING,
        Event.BACK: State.PAUSED,  # the person says when: the arm may have sagged, the scene have changed
        Event.UNSEEN: State.WAITING,
        Event.STOP: State.STOPPING,
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: "the session is not stopping",
    },
    State.STOPPING: {
        Event.BEGIN: "the session is ending",
        Event.END: "the session is ending; the flight is already being saved",
        Event.SUCCEED: "the session is ending; the flight is already being saved",
        Event.MISS: "the session is ending; the flight is already being saved",
        Event.DISCARD: "the session is ending; the flight is already being saved",
        Event.TAKE_BACK: "the session is ending",
        Event.BRING_BACK: "the session is ending",
        Event.PRACTISE: "the session is ending",
        Event.CLUTCH: "the session is ending",
        Event.TAKE_OVER: "the session is ending",
        Event.PAUSE: "the session is ending",
        Event.HALT: "the session is ending; the robot is being held",
        Event.GONE: State.STOPPING,
        Event.BACK: State.STOPPING,
        Event.UNSEEN: State.STOPPING,
        Event.STOP: "the session is already ending",
        Event.LOST: State.STOPPING,
        Event.FAIL: State.FAULT,
        Event.FINISHED: State.DONE,
    },
    State.FAULT: {
        Event.BEGIN: "the session has failed; start it again",
        Event.END: "the session has failed; the flight is kept as far as it was flown",
        Event.SUCCEED: "the session has failed; 'demodeck label' marks a saved flight",
        Event.MISS: "the session has failed; 'demodeck label' marks a saved flight",
        Event.DISCARD: "the session has failed; the flight is kept as far as it was flown",
        Event.TAKE_BACK: "the session has failed; 'demodeck label' marks a saved flight",
        Event.BRING_BACK: "the session has failed; 'demodeck label' marks a saved flight",
        Event.PRACTISE: "the session has failed; start it again",
        Event.CLUTCH: "the session has failed; start it again",
        Event.TAKE_OVER: "the session has failed; start it again",
        Event.PAUSE: "the session has failed; start it again",
        Event.HALT: "the session has failed; the robot is held already",
        Event.GONE: State.FAULT,
        Event.BACK: State.FAULT,
        Event.UNSEEN: State.FAULT,
        Event.STOP: "the session is already ending",
        Event.LOST: State.FAULT,
        Event.FAIL: State.FAULT,
        Event.FINISHED: State.DONE,
    },
    State.DONE: dict.fromkeys(Event, "the session is over"),
}


def step(state: State, event: Event) -> Step:
    """Return the answer of `state` to `event`; defined for every pair."""
    answer = _TABLE[state][event]
    return Step(answer) if isinstance(answer, State) else Step(state, answer)
