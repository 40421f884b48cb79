"""The Hub's server: the real `huggingface_hub` client talks to it through `HF_ENDPOINT`.

It binds loopback by default, answers from a folder (see store.py), and stops on Ctrl-C or SIGTERM after the
requests in progress. The routes are in repo_routes.py, file_routes.py and xet_routes.py.
"""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.errors import UsageError
from collector.hub import file_routes, repo_routes, xet_routes
from collector.hub.access import Gate, User, is_loopback
from collector.hub.handling import Hub, hub_of, refusal_response, user_of
from collector.hub.names import KINDS, Refusal
from collector.hub.store import Store


class _KindConvertor(Convertor[str]):
    """Matches `datasets` and `models` in an address."""

    regex = "|".join(KINDS)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("kind", _KindConvertor())


class _RawPaths:
    """Routes by the address as it was sent, so that a quoted `/` inside a revision does not split it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("raw_path"):
            scope = {**scope, "path": scope["raw_path"].decode("ascii", errors="replace")}
        await self._app(scope, receive, send)


async def _front(request: Request) -> Response:
    """GET /: what is here, for people."""
    user = user_of(request)
    lines = [
        f"{repo.kind[:-1]:<8} {repo.id}{'  (private)' if repo.private else ''}"
        for repo in hub_of(request).store.repositories()
        if not repo.private or (user is not None and user.may_write(repo.id.partition("/")[0]))
    ]
    return PlainTextResponse("\n".join(["demodeck hub", "", *lines, ""]))


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refusal_response(error)


async def _on_unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "RepoNotFound" if error.status_code == 404 and request.url.path.startswith("/api/") else ""
    return refusal_response(
        Refusal(error.status_code, f"this Hub has no {request.method} {request.url.path}", code)
    )


async def _on_os_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if isinstance(error, FileNotFoundError):
        # Only a repository that was deleted under a request's feet lacks its own folders.
        return refusal_response(Refusal(404, "the repository does not exist any more", "RepoNotFound"))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # 507 is not retried by the client, which would only fill the disk again.
        return refusal_response(
            Refusal(507, "the Hub's disk is full: free some space; what was saved is intact")
        )
    raise error


async def _on_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


def build_app(store: Store, tokens: dict[str, User]) -> ASGIApp:
    """Return the ASGI application that serves `store`.

    Args:
        store: The Hub's folder.
        tokens: token -> user; empty for a personal Hub (see access.py).
    """
    app = Starlette(
        routes=[Route("/", _front), *repo_routes.routes(), *file_routes.routes(), *xet_routes.routes()],
        exception_handlers={
            Refusal: _on_refusal,
            HTTPException: _on_unknown,
            OSError: _on_os_error,
            ClientDisconnect: _on_gone,
        },
    )
    app.router.redirect_slashes = False
    app.state.hub = Hub(store, Gate(tokens, store.secret))
    app.state.xet_sessions = xet_routes.Sessions(store.temporaries)
    return _RawPaths(app)


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready, and ends normally on a signal instead of raising it again afterwards."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # Only now: whoever reads the address may stop us at once, and the signal must find its handler.
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        caught = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(host: str, port: int, with_tokens: bool) -> socket.socket:
    """Return a listening socket; port 0 takes any free one.

    Raises:
        UsageError: If the port is taken, may not be used, or the address is not this machine's; or if the
            address can be reached from outside and no token is configured.
    """
    if not with_tokens and not is_loopback(host):
        raise UsageError(
            f"--host {host} can be reached from other machines and no token is set: add --token NAME:TOKEN "
            "(or --token-file), or use --host 127.0.0.1"
        )
    if not 0 <= port <= 65535:
        raise UsageError(f"--port {port} is not a port: use 1024 to 65535, or 0 for any free one")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except socket.gaierror as error:
        raise UsageError(
            f"--host {host} is not an address of this machine: use 127.0.0.1 or 0.0.0.0"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} on {host} is taken: choose another by --port N, or any free one by --port 0"
            ) from error
        if error.errno == errno.EACCES:
            raise UsageError(
                f"port {port} needs administrator rights: choose one above 1023 by --port N"
            ) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                f"--host {host} is not an address of this machine: use 127.0.0.1 or 0.0.0.0"
            ) from error
        raise
    return listener


def serve(
    root: Path,
    host: str,
    port: int,
    tokens: dict[str, User],
    ready: Callable[[str], None],
    verbose: bool = False,
) -> None:
    """Serve the Hub in `root` until Ctrl-C or SIGTERM.

    Args:
        root: The Hub's folder; made if needed.
        host: Address to listen on.
        port: Port, 0 for any free one.
        tokens: token -> user (see access.py).
        ready: Called once with the Hub's address when connections are accepted.
        verbose: Print each request on stderr.

    Raises:
        UsageError: See `listen` and `Store`.
    """
    listener = listen(host, port, bool(tokens))
    try:
        store = Store(root)
    except BaseException:
        listener.close()
        raise
    config = uvicorn.Config(
        build_app(store, tokens),
        log_config=_logging(verbose),
        access_log=verbose,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
    )
    try:
        # "All addresses" is not an address that a client could use.
        name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        address = f"http://{name}:{listener.getsockname()[1]}"
        _Server(config, lambda: ready(address)).run(sockets=[listener])
    finally:
        store.close()
        listener.close()
        sys.stdout.flush()


def _logging(verbose: bool) -> dict:
    level = "INFO" if verbose else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "hub: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
        "loggers": {
            "uvicorn": {"handlers": ["stderr"], "level": level, "propagate": False},
            "uvicorn.access": {"handlers": ["stderr"], "level": level, "propagate": False},
        },
    }
