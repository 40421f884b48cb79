"""What a whole session tells, in the order in which it is told."""

ROOT = "datasets/cubes"
LATE = {"p50": 0.1, "p99": 0.3, "max": 1.2}


def flown(ticks=300, **content):
    return {
        "kind": "flown", "ticks": ticks, "late_ms": LATE, "lost": 0, "asked_again": 0, "clipped": {}, "discard": False,
        "success": None, "missed_ticks": 0, "clipped_ticks": 0, "interrupted": False, "reason": "end",
        "camera_faults": None,
    } | content  # fmt: skip


def saved(episode, **content):
    return {
        "kind": "saved", "episode": episode, "frames": 300, "bytes": 3000, "success": None, "missed_ticks": 0,
        "clipped_ticks": 0, "interrupted": False, "reason": "end", "camera_faults": 0,
    } | content  # fmt: skip


def take(number, episode):
    return {"kind": "take", "number": number, "episode": episode, "task": "lift", "limit_s": 60.0}


def state(name):
    return {"kind": "state", "state": name}


# Four flights: a success, one thrown away, one that was interrupted, and one taken back.
SESSION = [
    {
        "kind": "config",
        "display": "cockpit",
        "json": True,
        "ignored": ["display_data"],
        "keys": {},
        "push": False,
    },
    {"kind": "encoder", "words": "h264 in software"},
    {"kind": "recovered", "episodes": [9]},
    {"kind": "view", "name": "psm", "joints": ["pan.pos"], "cameras": {}, "limits": {}, "fps": 30},
    {"kind": "realtime", "refused": ["no real-time priority: see 'demodeck doctor'"]},
    {"kind": "flying", "root": ROOT, "episodes": 10, "wanted": 3, "lock_step": False, "fps": 30},
    {
        "kind": "rig",
        "findings": [{"what": "robot", "ok": True, "needed": True, "seen": "'so101' is connected"}],
    },
    state("paused"),
    {"kind": "paused", "by_itself": False},
    {"kind": "refused", "event": "discard", "why": "no flight is running"},
    state("practising"),
    {"kind": "practice"},
    {"kind": "clutch", "held": True},
    {"kind": "clutch", "held": False},
    state("paused"),
    state("ready"),
    {"kind": "aligning"},
    take(1, 10),
    state("recording"),
    {"kind": "took_over", "person": True},
    {
        "kind": "camera",
        "fault": {"camera": "front", "from_s": 2.0},
        "words": "camera 'front' froze for 0.8 s",
    },
    {"kind": "sealing", "flights": 1, "pictures": 400, "limit": 8, "told": False},
    {"kind": "motors", "motor": "gripper", "celsius": 41.0, "limit": 65.0},
    state("ready"),
    flown(success=True, clipped={"speed": 4, "limit": 2}, asked_again=3),
    {"kind": "sealing", "flights": 2, "pictures": 400, "limit": 8, "told": True},
    {"kind": "verdict", "episode": 10, "mark": "look", "reasons": [{"kind": "leap", "words": "pan leaps"}]},
    {"kind": "briefing", "words": "next: cube 3 cm to the left"},
    {"kind": "reset", "seconds": 10.0},
    saved(10, success=True, missed_ticks=1, camera_faults=1),
    take(2, 11),
    state("recording"),
    flown(ticks=50, discard=True),
    take(2, 11),
    state("recording"),
    {"kind": "motor", "words": "gripper is at 66 °C"},
    state("halted"),
    flown(ticks=100, interrupted=True, lost=2, late_ms=None),
    {"kind": "unheld", "why": "it does\n not answer"},
    {"kind": "halted", "by_itself": False},
    saved(11, frames=100, interrupted=True),
    state("waiting"),
    {"kind": "gone", "what": "robot", "why": "the robot does not answer", "seconds": 60.0},
    {"kind": "back", "what": "robot"},
    state("paused"),
    take(2, 12),
    state("recording"),
    flown(),
    saved(12),
    {"kind": "marked", "episode": 12, "success": False},
    {"kind": "take_back", "episode": 12, "kept": 1},
    {"kind": "bring_back", "episode": 12, "kept": 2},
    {"kind": "take_back", "episode": 12, "kept": 1},
    {"kind": "enough"},
    state("stopping"),
    {"kind": "unrested", "why": "it is stuck"},
    state("done"),
    {"kind": "done", "episodes": 12, "taken_back": 1, "kept_in": f"{ROOT}/.taken_back"},
]
SESSION = [{**message, "told_s": 1000.0 + number} for number, message in enumerate(SESSION)]
