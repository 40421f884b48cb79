"""The command `demodeck`: finds the verb's module, imports only that, and turns errors into one line.

Nothing heavy is imported here: `demodeck --help` answers in a fraction of a second.
"""

from __future__ import annotations

import importlib
import os
import sys

from collector.errors import explained, shown
from collector.without_torch import leave_torch_out

__version__ = "0.1.0"

# verb -> (module with `main_<verb>(args) -> int | None`, one line of help), grouped by room.
VERBS: dict[str, dict[str, tuple[str, str]]] = {
    "collect (pilots)": {
        "record": ("collector.cli", "fly a robot and record the flights as a LeRobot v3.0 dataset"),
        "teleop": ("collector.cli", "fly a robot without recording"),
        "replay": ("collector.cli", "fly a recorded episode again"),
        "attach": ("collector.cli", "show a session that goes on, when its terminal was lost"),
        "recover": ("collector.cli", "save flights that a crash interrupted"),
        "devices": ("collector.cli", "list arms, pads and cameras that are plugged in, and what each can do"),
        "doctor": ("collector.cli", "check this machine, or a whole rig by its flags"),
    },
    "curate": {
        "review": (
            "curation.cli",
            "look through a dataset in the terminal: a key decides, all is saved at once",
        ),
        "label": ("curation.cli", "say what is thought of episodes: verdict, rating, tags, ...; merge, undo"),
        "agreement": ("curation.cli", "say how far the people who labelled agree, and where they do not"),
        "score": ("curation.cli", "run the checks over every episode and store what they found"),
        "query": ("curation.cli", "answer SQL over episodes, frames, labels, findings and scores"),
        "edit": ("curation.cli", "make a new dataset: drop, trim, split, merge, apply labels, rename, fps"),
        "log": ("curation.cli", "list the versions of a dataset on the Hub"),
        "diff": ("curation.cli", "say what two datasets or versions have in common, and what not"),
        "report": ("curation.cli", "write a dataset as one page of HTML, with clips of what needs a look"),
        "publish": ("curation.cli", "push an exact mirror to the Hub, with its card and the tag v3.0"),
    },
    "train and measure": {
        "train": ("training.train_cli", "train a policy from a dataset on the Hub or in a folder"),
        "eval": ("training.cli", "fly a policy or pilot from fixed seeds: success rate with its interval"),
        "compare": ("training.cli", "put evaluations side by side, paired by seed"),
        "export": ("training.onnx_export", "write a policy as one ONNX file, which flies without torch"),
        "rollout": ("collector.cli", "let a policy fly; a person may take over; both are recorded"),
    },
    "share": {
        "hub": ("collector.hub.cli", "serve a Hub from a folder, for labs and machines without an account"),
    },
}


def usage() -> str:
    """Return the text of `demodeck --help`."""
    lines = ["usage: demodeck VERB [flags]        (demodeck VERB --help for the flags of one verb)", ""]
    for room, verbs in VERBS.items():
        lines.append(f"{room}:")
        lines += [f"  {verb:<10} {help_line}" for verb, (_, help_line) in verbs.items()]
        lines.append("")
    lines.append("  --version  print the version")
    return "\n".join(lines)


def answer(args: list[str]) -> int:
    """Do what the command line says; return the exit code."""
    if not args or args[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if args[0] == "--version":
        print(f"demodeck {__version__}")
        return 0
    verb = args[0]
    modules = {verb: module for verbs in VERBS.values() for verb, (module, _) in verbs.items()}
    if verb not in modules:
        import difflib

        near = difflib.get_close_matches(verb, modules, n=1)
        hint = f": did you mean '{near[0]}'?" if near else f" (verbs: {', '.join(modules)})"
        print(f"demodeck: error: unknown verb '{verb}'{hint}", file=sys.stderr)
        return 2
    return getattr(importlib.import_module(modules[verb]), f"main_{verb}")(args[1:]) or 0


def main(argv: list[str] | None = None) -> int:
    """Entry point of the console script; an error that the user can understand becomes one line and its exit code."""
    args = sys.argv[1:] if argv is None else argv
    leave_torch_out()
    name = f"demodeck {args[0]}" if args else "demodeck"
    try:
        try:
            return answer(args)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # what cannot be written is said below, not while Python ends
    except KeyboardInterrupt:
        print("demodeck: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`demodeck query ... | head`): end as SIGPIPE would end us.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get("DEMODECK_DEBUG"):
            raise
        known = explained(error)
        if known is not None:
            print(f"{name}: error: {shown(known, 5000)}", file=sys.stderr)
            return known.exit_code
        print(
            f"{name}: internal error: {type(error).__name__}: {error} "
            "(this is a defect of demodeck: run it again with DEMODECK_DEBUG=1 and report what it prints)",
            file=sys.stderr,
        )
        return 70


if __name__ == "__main__":
    sys.exit(main())
