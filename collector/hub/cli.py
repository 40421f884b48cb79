"""`demodeck hub serve`: a Hub in a folder, for labs and machines without an account."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import NoReturn

from collector.errors import StorageError, UsageError

DEFAULT_PORT = 8757

_DESCRIPTION = """\
Serve a Hugging Face Hub from a folder: datasets and models, commits, branches, tags, private repositories.
The unmodified huggingface_hub, datasets and lerobot talk to it once HF_ENDPOINT holds its address.

Without a token the Hub is personal: it listens on loopback only and whoever reaches it has all rights.
With tokens, anyone may read public repositories; a token's user may write to the namespace of that name and
to the namespaces granted to it, and read the private repositories in them.
"""


class _PlainParser(argparse.ArgumentParser):
    """argparse whose complaints are one line (the shared leaves do not import `collector.flags`)."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{' '.join(message.split())} (see '{self.prog} --help')")


def _parser() -> argparse.ArgumentParser:
    parser = _PlainParser(prog="demodeck hub", description="A Hub of your own.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="serve")
    serve = verbs.add_parser(
        "serve",
        help="serve a Hub from a folder",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="the Hub's folder; made if needed"
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="port; 0 takes any free one (default: %(default)s)"
    )
    serve.add_argument(
        "--token",
        action="append",
        default=[],
        metavar="NAME:TOKEN[:NAMESPACE,...]",
        help="a user, the token that stands for them, and further namespaces they may write to; repeatable",
    )
    serve.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="the same, one a line (other users cannot read it in 'ps')",
    )
    serve.add_argument(
        "--address-file",
        type=Path,
        metavar="FILE",
        help="write the Hub's address (http://...) there once it accepts connections, for scripts",
    )
    serve.add_argument("--verbose", action="store_true", help="print each request on stderr")
    return parser


def _token_lines(flags: argparse.Namespace) -> list[str]:
    lines = list(flags.token)
    if flags.token_file is not None:
        try:
            text = flags.token_file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise UsageError(f"--token-file {flags.token_file} cannot be read: {reason}") from error
        lines += [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            raise UsageError(f"--token-file {flags.token_file} has no token: write NAME:TOKEN, one a line")
    return lines


def _write_address(file: Path, address: str) -> None:
    """Write it whole: a script that waits for the file must not read half of it."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(address + "\n")
        beside.replace(file)
    except OSError as error:
        raise StorageError(f"--address-file {file} cannot be written: {error.strerror}") from error


def main_hub(args: list[str]) -> int:
    """Run `demodeck hub ARGS` until it is stopped; return the exit code.

    Raises:
        UsageError: If a flag is wrong, the port is taken, or an open address lacks a token.
    """
    flags = _parser().parse_args(args)
    # Only now: the web server costs a quarter of a second that `--help` does not need.
    from collector.hub.access import User, is_loopback, parse_token
    from collector.hub.server import serve

    tokens: dict[str, User] = {}
    for line in _token_lines(flags):
        token, user = parse_token(line)
        if token in tokens:
            raise UsageError(
                f"the token of '{user.name}' is also that of '{tokens[token].name}': give each their own"
            )
        tokens[token] = user

    def ready(address: str) -> None:
        if flags.address_file is not None:
            _write_address(flags.address_file, address)
        users = ", ".join(sorted({user.name for user in tokens.values()}))
        rights = f"tokens: {users}" if tokens else "no tokens: all rights"
        print(f"Hub in {flags.root} at {address} ({rights}); stop it with Ctrl-C", flush=True)
        if not is_loopback(flags.host):
            print("from other machines use this machine's name or address in its place", flush=True)
        print(f"export HF_ENDPOINT={address}", flush=True)

    serve(flags.root, flags.host, flags.port, tokens, ready, flags.verbose)
    return 0
