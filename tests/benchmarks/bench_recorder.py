"""Recording against lerobot-record: pacing, saving, a long session, and faults, on the same simulated rig.

    python tests/benchmarks/bench_recorder.py [--only=pacing|saving|long|faults] [--quick] [--seconds=60]

Prints markdown tables. Both recorders are run by their public commands, with the same flags, one after the
other in one run; the rig keeps a log with the moment of every tick, from which both are judged alike.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import signal
import sys
import tempfile
from pathlib import Path

# The rig is a plugin outside the package, as anybody's would be; and this checkout is what is measured.
sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from recorder_bench import fault_table, long_session, pacing, saving  # noqa: E402
from rigs.commands import kill_all  # noqa: E402

from demodeck import __version__  # noqa: E402

PARTS = ("pacing", "saving", "long", "faults")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="part to measure; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a smoke run: every part, as small as it goes")
    parser.add_argument("--seconds", type=float, default=60, help="of a pacing leg")
    parser.add_argument("--rates", default="30,50,100,200", help="of the legs without cameras [Hz]")
    parser.add_argument("--camera-rate", type=int, default=30, help="of the legs with two cameras [Hz]")
    parser.add_argument("--idle", action="store_true", help="pacing without other work beside it")
    parser.add_argument("--save-seconds", type=float, default=60, help="of a take in the saving part")
    parser.add_argument("--grow-to", type=int, default=1000, help="episodes of the set that grows")
    parser.add_argument("--episodes", type=int, default=500, help="of the long session")
    parser.add_argument("--pixels", type=int, default=64, help="camera size in the long session")
    parser.add_argument("--fault", action="append", help="name of a fault; may be repeated; default all")
    parser.add_argument("--streaming", action="store_true", help="lerobot streams its encoding in the faults")
    parser.add_argument("--jobs", type=int, default=1, help="fault sessions at once")
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.rates, args.save_seconds = 3, "30", 3
        args.grow_to, args.episodes, args.fault = 10, 4, fault_table.QUICK
    return args


def main() -> int:
    args = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end like Ctrl-C's: nothing stays behind
    parts = args.only or PARTS
    peer = importlib.metadata.version("lerobot")
    print(f"demodeck {__version__}, lerobot {peer}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="bench-recorder-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            if "pacing" in parts:
                rates = [int(rate) for rate in args.rates.split(",")]
                pacing.measure(folder, args.seconds, rates, args.camera_rate, loaded=not args.idle)
            if "saving" in parts:
                sizes = sorted({n for n in (1, 10, 100, 300, 1000) if n <= args.grow_to} | {args.grow_to})
                saving.measure(folder, args.save_seconds, sizes)
            if "long" in parts:
                long_session.measure(folder, args.episodes, args.pixels)
            if "faults" in parts:
                fault_table.measure(folder, args.fault, args.jobs, args.streaming)
        except KeyboardInterrupt:
            kill_all()
            return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
