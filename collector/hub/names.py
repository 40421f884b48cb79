"""What repositories, revisions and paths may be called, and the refusal that a wrong one meets.

Nothing that a client sends is ever joined to a folder before it passed here: repository names become folders,
so they are held to a strict alphabet; branches and tags become file names, percent-quoted; paths inside a
repository never become paths on the server at all (contents lie under their hash), but they do on every
machine that downloads them, so they are held to the same care.
"""

from __future__ import annotations

import re
from urllib.parse import quote

KINDS = ("datasets", "models")

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@=-]{0,199}")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# These are first words of addresses: a namespace of that name could not be reached.
_RESERVED_NAMESPACES = {"api", "datasets", "models", "spaces", "xet"}


class Refusal(Exception):
    """A request that the Hub declines; becomes an HTTP error that `huggingface_hub` understands.

    Args:
        status: HTTP status code.
        message: One line for the person at the other end.
        code: Value of the `X-Error-Code` header (`RepoNotFound`, `RevisionNotFound`, `EntryNotFound`), or "".
        extra: Further keys of the JSON body.
    """

    def __init__(self, status: int, message: str, code: str = "", **extra: object) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.extra = extra
        self.headers: dict[str, str] = {}


def check_name(part: str, what: str) -> str:
    """Return a namespace or repository name that is safe as a folder name.

    Raises:
        Refusal: 400, if it is not 1 to 96 letters, digits, `_`, `-`, `.`, or has `--`, `..` or a bad ending.
    """
    if (
        not _NAME.fullmatch(part)
        or ".." in part
        or "--" in part
        or part.endswith((".", "-", ".git", ".ipynb"))
    ):
        raise Refusal(
            400,
            f"{what} '{part[:100]}' is not allowed: use 1 to 96 letters, digits, '_', '-' and '.', "
            "without '--' or '..', not ending in '-', '.' or '.git'",
        )
    return part


def check_namespace(part: str) -> str:
    """Return a namespace (user or lab) that is safe as a folder name and can be addressed.

    Raises:
        Refusal: 400, as `check_name`, and for reserved words.
    """
    if part.lower() in _RESERVED_NAMESPACES:
        raise Refusal(400, f"namespace '{part}' is reserved: choose another")
    return check_name(part, "namespace")


def check_ref(name: str, what: str) -> str:
    """Return a branch or tag name.

    Raises:
        Refusal: 400, if git would not take it, or if it could be mistaken for a commit.
    """
    bad = (
        not _REF.fullmatch(name)
        or ".." in name
        or "//" in name
        or name.endswith(("/", ".", ".lock"))
        or name.startswith("refs/")
    )
    if bad or _SHA1.fullmatch(name):
        raise Refusal(
            400, f"{what} '{name[:100]}' is not allowed: use letters, digits and '._-/', without '..'"
        )
    return name


def ref_file_name(name: str) -> str:
    """Return the file name that stands for a checked branch or tag: `feature/a` -> `feature%2Fa`."""
    return quote(name, safe="")


def check_path(path: str) -> str:
    """Return a file's path inside a repository.

    Raises:
        Refusal: 400, if it is absolute, climbs (`..`), has empty parts, a `.git` part or control characters.
    """
    parts = path.split("/")
    bad = (
        not path
        or len(path.encode(errors="replace")) > 1000
        or any(part in ("", ".", "..") or part.lower() == ".git" or len(part) > 255 for part in parts)
        or "\\" in path
        or any(ord(ch) < 32 or ord(ch) == 127 or 0xD800 <= ord(ch) <= 0xDFFF for ch in path)
    )
    if bad:
        raise Refusal(400, f"path {path[:100]!r} is not allowed in a repository")
    return path


def is_commit_id(text: str) -> bool:
    """Say whether `text` is a full commit id (40 hex digits)."""
    return bool(_SHA1.fullmatch(text))


def check_sha256(oid: object) -> str:
    """Return a content hash as 64 lower-case hex digits.

    Raises:
        Refusal: 400, if it is anything else.
    """
    if not isinstance(oid, str) or not _SHA256.fullmatch(oid):
        raise Refusal(400, "an object's oid must be its sha256: 64 hex digits")
    return oid
