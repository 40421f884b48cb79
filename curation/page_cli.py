"""`demodeck report`: its flags, and what it says."""

from __future__ import annotations

from pathlib import Path

from collector.errors import UsageError
from curation.arguments import REMOTE, print_json, verb_parser
from curation.show import ProgressLine, counted


def run(args: list[str]) -> int:
    """Do what `demodeck report ARGS` says; return the exit code."""
    parser = verb_parser(
        "report",
        "Write a dataset as one page of HTML that needs nothing else: facts, plots, findings, and clips of the "
        "episodes that most need a look.",
    )
    parser.add_argument("dataset", metavar="DATASET", help=REMOTE)
    parser.add_argument("--output", required=True, metavar="FILE.html")
    parser.add_argument(
        "--worst", type=int, default=20, metavar="N", help="episodes shown with pictures (20)"
    )
    parser.add_argument("--no-clips", action="store_true", help="no moving pictures: a smaller page")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE.html if it is there")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args(args)
    output = Path(flags.output)
    if flags.worst < 0:
        raise UsageError(f"--worst is {flags.worst}: it must be at least 0")
    if output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--output is '{output}': name a file that ends in .html")
    if output.is_dir() or (output.exists() and not flags.overwrite):
        raise UsageError(f"{output} is there already: name another --output, or add --overwrite")
    if not output.parent.is_dir():
        raise UsageError(f"--output is '{output}': the folder {output.parent} does not exist")
    from collector.dataset.durable import write_bytes
    from curation.page import page
    from curation.remote import open_by_name

    dataset = open_by_name(flags.dataset, videos=flags.worst > 0)
    name = flags.dataset if "/" in flags.dataset and not Path(flags.dataset).exists() else dataset.root.name
    content = page(dataset, name, flags.worst, not flags.no_clips, ProgressLine()).encode()
    write_bytes(output, content)
    if flags.json:
        print_json({"output": str(output), "bytes": len(content), "episodes": dataset.num_episodes})
    else:
        print(f"{output}: {counted(dataset.num_episodes)}, {len(content) / 1e6:.1f} MB")
    return 0
