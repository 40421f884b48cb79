"""What every route needs: the Hub behind it, the repository it is about, and its body within bounds."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from collector.hub.access import Gate, User
from collector.hub.names import Refusal
from collector.hub.repository import Repository
from collector.hub.store import Store

_JSON_LIMIT = 16 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Hub:
    """The running Hub: its folder and who may do what."""

    store: Store
    gate: Gate


def hub_of(request: Request) -> Hub:
    """Return the Hub that serves this request."""
    return request.app.state.hub


def user_of(request: Request) -> User | None:
    """Return the request's user, None for an anonymous one.

    Raises:
        Refusal: 401 for an unknown token, 403 for a web page's request to a personal Hub.
    """
    gate = hub_of(request).gate
    gate.check_source(request.headers.get("host", ""), request.headers.get("origin"))
    return gate.user(request.headers.get("authorization"))


def parameter(request: Request, name: str) -> str:
    """Return a part of the address, unquoted: `refs%2Fpr%2F1` stays one part until here."""
    return unquote(request.path_params[name])


def repository_of(request: Request, write: bool = False) -> Repository:
    """Return the repository of the address, if this user may read (or write) it.

    A private repository looks to others as if it did not exist.

    Raises:
        Refusal: 401 to anonymous, 404 to users who may not see it, 403 to those who see but may not write.
    """
    user = user_of(request)
    kind = request.path_params.get("kind") or "models"
    repo_id = f"{parameter(request, 'namespace')}/{parameter(request, 'name')}"
    namespace = repo_id.partition("/")[0]
    repo = hub_of(request).store.find(kind, repo_id)
    if repo is None or (repo.private and not (user and user.may_write(namespace))):
        if user is None:
            raise Refusal(
                401, f"{kind[:-1]} {repo_id[:200]} does not exist or is private: log in", "RepoNotFound"
            )
        raise Refusal(404, f"{kind[:-1]} {repo_id[:200]} does not exist", "RepoNotFound")
    if write:
        require_write(user, namespace)
    return repo


def require_write(user: User | None, namespace: str) -> User:
    """Return the user if they may write to a namespace.

    Raises:
        Refusal: 401 to anonymous, 403 to others.
    """
    if user is None:
        raise Refusal(401, "log in to write to this Hub: 'hf auth login' or HF_TOKEN")
    if not user.may_write(namespace):
        raise Refusal(403, f"the token of '{user.name}' may not write to the namespace '{namespace[:100]}'")
    return user


async def body_of(request: Request, limit: int = _JSON_LIMIT) -> bytes:
    """Return the whole body.

    Raises:
        Refusal: 413, if it is larger than `limit` bytes.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise Refusal(413, f"this request's body is larger than {limit} bytes")
    return bytes(body)


async def json_of(request: Request) -> dict:
    """Return the body as a JSON object; {} if there is none.

    Raises:
        Refusal: 400, if it is not a JSON object.
    """
    body = await body_of(request)
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "the request's body is not JSON") from error
    if not isinstance(value, dict):
        raise Refusal(400, "the request's body must be a JSON object")
    return value


def text_of(fields: dict, key: str, default: str | None = None) -> str:
    """Return a text field of a JSON body.

    Raises:
        Refusal: 400, if it is missing without a default, or not text.
    """
    value = fields.get(key, default)
    if not isinstance(value, str):
        raise Refusal(400, f"'{key}' must be given as text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # Half a surrogate pair can be written in JSON, but could never be sent back.
        raise Refusal(400, f"'{key}' has characters that are none") from error
    return value


def flag_of(request: Request, name: str) -> bool:
    """Return a yes/no query parameter."""
    return request.query_params.get(name, "").lower() in ("1", "true")


async def off_loop[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run something that touches the disk without stopping the other requests."""
    return await run_in_threadpool(function, *args, **kwargs)


def page(request: Request, items: list, default: int, largest: int) -> JSONResponse:
    """Answer one page of a list and, where more follows, the next page's address in `Link`."""
    try:
        limit = min(max(int(request.query_params.get("limit", default)), 1), largest)
        start = max(int(request.query_params.get("cursor", 0)), 0)
    except ValueError as error:
        raise Refusal(400, "'limit' and 'cursor' must be whole numbers") from error
    headers: dict[str, str] = {}
    if start + limit < len(items):
        query = request.url.include_query_params(limit=limit, cursor=start + limit).query
        headers["Link"] = f'<{address_of(request)}{request.scope["path"]}?{query}>; rel="next"'
    return JSONResponse(items[start : start + limit], headers=headers)


def address_of(request: Request) -> str:
    """Return the Hub's address as this client sees it, such as `http://127.0.0.1:8757`."""
    return f"{request.url.scheme}://{request.headers.get('host') or request.url.netloc}"


def refusal_response(refusal: Refusal) -> JSONResponse:
    """Turn a refusal into the answer that `huggingface_hub` turns into its own errors."""
    message = re.sub(r"[^\x20-\x7e]", "?", refusal.message)
    headers = {**refusal.headers, "X-Error-Message": message}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    body: dict[str, Any] = {"error": refusal.message.encode(errors="replace").decode(), **refusal.extra}
    return JSONResponse(body, status_code=refusal.status, headers=headers)
