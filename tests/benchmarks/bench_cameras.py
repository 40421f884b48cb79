"""Finding bad cameras: `demodeck score --video` against its peers on flights with known faults, in one run.

    python tests/benchmarks/bench_cameras.py [--seeds=test] [--clean=80] [--unusual=4] [--cell=2] [--number=0]
        [--cache=DIR] [--no-peers]

Flies a set on sim_so101 with two cameras of 96 x 72 pixels, puts 9 kinds of faults in four sizes into one of them (a
camera that is moved is moved in the simulation), records it as the project records, and lets each checker judge it.
A flight counts as accused if anything at all is said of it. Thresholds were chosen on the seeds `dev`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path[1:1] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from bench_curation import installed, print_summary  # noqa: E402
from curation_bench import measure, peers  # noqa: E402
from curation_bench.picture_faults import LIGHTS, PICTURE_KINDS  # noqa: E402
from curation_bench.picture_set import FIRST_SEED, STYLES, cached_pictures  # noqa: E402
from curation_bench.table import Counts, by_kind  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", choices=sorted(FIRST_SEED), default="test")
    parser.add_argument("--clean", type=int, default=80)
    parser.add_argument("--unusual", type=int, default=4, help="unusual clean flights of each kind")
    parser.add_argument("--cell", type=int, default=2, help="faulty flights of each kind and size")
    parser.add_argument("--number", type=int, default=0, help="which set of these seeds")
    cache = Path(tempfile.gettempdir()) / "demodeck-bench-curation"
    parser.add_argument(
        "--cache", type=Path, default=cache, help="for flown sets and the peers' environments"
    )
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    sizes = (args.clean, args.unusual, args.cell)
    root, flights = cached_pictures(
        args.cache,
        args.seeds,
        args.number,
        sizes,
        lambda n: print(f"flown {n}", file=sys.stderr) if n % 20 == 0 else None,
    )
    homes = {} if args.no_peers else installed(args.cache)
    outcomes = [measure.demodeck(root, ["--video", "--fresh", "--jobs", "1"])]
    looks = {
        peers.RDQ: peers.rdq_video,
        peers.REPORT_CARD: peers.report_card,
        peers.CALIBRA: peers.calibra,
    }
    outcomes += [look(homes[key], root) for key, look in looks.items() if key in homes]
    counts = {}
    for outcome in outcomes:
        if outcome.crash:
            print(f"{outcome.name} failed: {outcome.crash}")
        ours = outcome.name == "demodeck"
        names = (lambda fault: PICTURE_KINDS[fault].checks) if ours else peers.other_names
        counts[outcome.name] = Counts(names, PICTURE_KINDS, (*LIGHTS, *STYLES))
        counts[outcome.name].add(flights, outcome.accusations)
    frames = sum(len(f.state) for f in flights)
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    print(
        f"{len(flights)} flights of the seeds '{args.seeds}', {frames} frames of two cameras, load {load}\n"
    )
    print_summary(counts, {o.name: [o] for o in outcomes}, frames, 1000)
    print("\nFound at each size, of so many:\n")
    print(by_kind(counts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
