"""Who may do what.

Without any token configured the Hub is a personal one: it listens on loopback only, and whoever reaches it,
with any token or none, is the user `local` with all rights. With tokens configured:

- without a token one may read public repositories;
- a token's user may read and write everything in the namespace of that name and in the namespaces granted;
- an unknown token is refused, even for public repositories (it is a mistake that should be seen).
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import ipaddress
import json
import time

from collector.errors import UsageError
from collector.hub.names import Refusal, check_name, check_namespace


@dataclasses.dataclass(frozen=True)
class User:
    """A person: `namespaces` may be written; None stands for all."""

    name: str
    namespaces: frozenset[str] | None

    def may_write(self, namespace: str) -> bool:
        """Say whether this user may write to (and read private repositories of) a namespace."""
        return self.namespaces is None or namespace in self.namespaces


LOCAL = User("local", None)


def parse_token(text: str) -> tuple[str, User]:
    """Parse `NAME:TOKEN` or `NAME:TOKEN:NAMESPACE[,NAMESPACE...]`.

    Returns:
        The token and its user.

    Raises:
        UsageError: If the text has another shape or a name is not allowed.
    """
    name, _, rest = text.partition(":")
    token, _, granted = rest.partition(":")
    if not name or not token or any(ch.isspace() for ch in token):
        raise UsageError(
            "a token must be given as NAME:TOKEN or NAME:TOKEN:NAMESPACE,NAMESPACE (for example ana:s3cret)"
        )
    namespaces = [name, *(part for part in granted.split(",") if part)]
    try:
        for namespace in namespaces:
            check_namespace(namespace)
    except Refusal as error:
        raise UsageError(f"token of '{name}': {error.message}") from error
    return token, User(name, frozenset(namespaces))


def is_loopback(host: str) -> bool:
    """Say whether a host name or address can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Gate:
    """Turns a request's `Authorization` header into a user, and signs the addresses of uploads.

    Args:
        tokens: token -> user; empty for a personal Hub.
        secret: Key of the signatures; kept with the Hub, so that they outlive a restart.
    """

    def __init__(self, tokens: dict[str, User], secret: bytes) -> None:
        # Looked up by digest: comparing the tokens themselves would take a time that tells about them.
        self._users = {_digest(token): user for token, user in tokens.items()}
        self._secret = secret

    @property
    def personal(self) -> bool:
        """Whether no token is configured."""
        return not self._users

    def user(self, authorization: str | None) -> User | None:
        """Return the user of an `Authorization` header, None for an anonymous reader.

        Raises:
            Refusal: 401, if the token is unknown.
        """
        if self.personal:
            return LOCAL
        if not authorization:
            return None
        scheme, _, token = authorization.partition(" ")
        user = self._users.get(_digest(token.strip())) if scheme.lower() == "bearer" else None
        if user is None:
            raise Refusal(
                401, "Invalid credentials in Authorization header: this Hub does not know the token"
            )
        return user

    def check_source(self, host: str, origin: str | None) -> None:
        """Keep web pages in the same machine's browser out of a personal Hub.

        A page may send requests to loopback (with an `Origin`), or point its own name there (another `Host`).

        Raises:
            Refusal: 403.
        """
        if not self.personal:
            return
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if not is_loopback(name):
            raise Refusal(
                403,
                f"this Hub has no tokens and answers to 127.0.0.1 and localhost only, not to '{name[:80]}'",
            )
        if origin is not None:
            raise Refusal(403, "this Hub has no tokens and takes no requests from web pages")

    def sign(self, claim: dict, seconds: int) -> str:
        """Return an unforgeable text that carries `claim` for some time."""
        body = json.dumps({**claim, "until": int(time.time()) + seconds}, sort_keys=True).encode().hex()
        return f"{body}.{self._seal(body)}"

    def claim(self, signed: str) -> dict:
        """Return the claim of a text made by `sign`.

        Raises:
            Refusal: 401, if it was made by somebody else or its time is over.
        """
        body, _, seal = signed.partition(".")
        if hmac.compare_digest(self._seal(body).encode(), seal.encode()):
            claim = json.loads(bytes.fromhex(body))
            if claim["until"] >= time.time():
                return claim
        raise Refusal(401, "the address of this upload is not valid (any more): start the upload again")

    def _seal(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def split_repo_id(repo_id: str) -> tuple[str, str]:
    """Return (namespace, name) of a repository id.

    Raises:
        Refusal: 400, if it is not of that shape.
    """
    namespace, slash, name = repo_id.partition("/")
    if not slash:
        raise Refusal(400, f"repository '{repo_id[:100]}' needs a namespace: NAMESPACE/NAME")
    return check_namespace(namespace), check_name(name, "name")
