"""Show a moment of an episode in the rerun viewer: pictures and vectors of the seconds around it.

A program of its own (`python -m curation.rerun_view ROOT EPISODE FRAME`), so that the screen that starts it does not
wait for it. rerun (0.24 to 0.33) comes with `lerobot[viz]`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import DataError, DemodeckError

AROUND_S = 5.0
"""Before and after the moment; more is the business of `lerobot-dataset-viz`, which reads whole episodes."""
_QUALITY = 85  # of JPEG


def log_moment(recording: Any, dataset: Dataset, episode: int, frame: int) -> list[str]:
    """Log the pictures and numbers around a frame to a `rerun.RecordingStream`, on the timelines `frame` and `time`.

    Returns:
        What could not be read, in words.

    Raises:
        UsageError: If there is no such episode.
        DataError: If its data file is missing or damaged.
    """
    import rerun

    length, fps = int(dataset.lengths([episode])[0]), float(dataset.fps)
    first = max(0, frame - round(AROUND_S * fps))
    last = min(length, frame + round(AROUND_S * fps) + 1)
    columns = dataset.episode(episode, schema.numeric_keys(dataset.features))
    left_out = set(schema.DEFAULT_FEATURES)

    def at(index: int) -> None:
        recording.set_time("frame", sequence=index)
        recording.set_time("time", duration=index / fps)

    for index in range(first, last):
        at(index)
        for name, values in columns.items():
            if name not in left_out:
                recording.log(name.replace(".", "/"), rerun.Scalars(values[index].ravel().astype(float)))
    troubles = []
    for camera in dataset.camera_keys:
        try:
            for index, picture in zip(range(first, last), dataset.frames(episode, camera, first)):
                at(index)
                recording.log(camera.replace(".", "/"), rerun.Image(picture).compress(jpeg_quality=_QUALITY))
        except DataError as error:  # the numbers, and other cameras, are there all the same
            troubles.append(str(error))
    at(frame)
    recording.log("moment", rerun.TextLog("; ".join([f"episode {episode}, frame {frame}", *troubles])))
    return troubles


def main(args: Sequence[str]) -> int:
    """Show a moment, or with `--save` write it into a file."""
    parser = argparse.ArgumentParser(
        prog="python -m curation.rerun_view", description=__doc__.splitlines()[0]
    )
    parser.add_argument("root")
    parser.add_argument("episode", type=int)
    parser.add_argument("frame", type=int)
    parser.add_argument(
        "--save", metavar="FILE.rrd", help="write a file that rerun opens, instead of showing it"
    )
    flags = parser.parse_args(args)
    try:
        import rerun
    except ImportError:
        print("rerun is not installed: 'pip install lerobot[viz]' brings it", file=sys.stderr)
        return 2
    try:
        dataset = Dataset.open(flags.root)
        recording = rerun.RecordingStream(
            "demodeck", recording_id=f"{dataset.root.name}-{flags.episode}-{flags.frame}"
        )
        if flags.save:
            recording.save(flags.save)
        else:
            # The viewer lies beside this Python, also where nobody activated its environment.
            os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
            recording.spawn()
        for trouble in log_moment(recording, dataset, flags.episode, flags.frame):
            print(trouble, file=sys.stderr)
        recording.flush()
    except (
        DemodeckError,
        RuntimeError,
        OSError,
    ) as error:  # a viewer that does not start raises RuntimeError
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
