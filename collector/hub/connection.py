"""The way to the Hub: address, cache, proxies, and its errors in one line each."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from collector.errors import HubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PUBLIC_HUB = "https://huggingface.co"


class _WithoutAddresses(logging.Filter):
    """Cuts addresses out of what `huggingface_hub` says when it tries again: they fill the screen, and are signed."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        record.msg, record.args = re.sub(r"thrown while requesting (\w+) \S+", r"in answer to a \1", said), ()
        return True


_without_addresses = _WithoutAddresses()


def endpoint() -> str:
    """Return the Hub's address: `HF_ENDPOINT` as it is now (`huggingface_hub` keeps that of its import)."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


def cache_folder() -> Path:
    """Return where `huggingface_hub` keeps what it fetched, by the environment as it is now."""
    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


@contextlib.contextmanager
def connect() -> Iterator[HfApi]:
    """Yield a client of the Hub in `HF_ENDPOINT`.

    Raises:
        HubError: If the address is not one.
    """
    address = endpoint()
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HubError(
            f"HF_ENDPOINT is '{address}', which is not an address: use for example http://127.0.0.1:8757"
        )
    if parts.hostname in ("127.0.0.1", "localhost", "::1"):
        _bypass_proxies(parts.hostname)
    from huggingface_hub import HfApi

    logging.getLogger("huggingface_hub.utils._http").addFilter(_without_addresses)  # no more than once
    with contextlib.nullcontext() if sys.stderr.isatty() else without_bars():
        yield HfApi(endpoint=address, library_name="demodeck")


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Fetch without progress bars: off a terminal, or what is small and would run across the words of a command."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    already = are_progress_bars_disabled()
    if not already:
        disable_progress_bars()
    try:
        yield
    finally:
        if not already:
            enable_progress_bars()


def _bypass_proxies(host: str) -> None:
    """A proxy (`HTTP_PROXY`) cannot reach this machine's loopback: leave it out for that host."""
    for name in ("NO_PROXY", "no_proxy"):
        listed = [part for part in os.environ.get(name, "").split(",") if part]
        if host not in listed and "*" not in listed:
            os.environ[name] = ",".join([*listed, host])


@contextlib.contextmanager
def without_xet(api: HfApi) -> Iterator[None]:
    """Send large files as plain streams, except to the public Hub.

    `huggingface_hub` reads HF_HUB_DISABLE_XET once, at its import, which may be long past: the constant is
    what it asks at each upload. To a Hub of one's own a plain stream is simpler and faster than Xet's chunks.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_XET
    if api.endpoint != PUBLIC_HUB:
        constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


@contextlib.contextmanager
def hub_errors(what: str, revision: str | None = None, *, cut: str = "") -> Iterator[None]:
    """Turn what `huggingface_hub` raises into a `HubError` of one line.

    Args:
        what: The repository, for messages: "dataset ana/cubes".
        revision: The revision asked for.
        cut: What to add where the Hub does not answer, or no more.
    """
    import httpx
    from huggingface_hub import errors

    try:
        yield
    except (errors.HfHubHTTPError, errors.HFValidationError, errors.LocalTokenNotFoundError) as error:
        raise HubError(_explain(error, what, revision)) from error
    except httpx.HTTPError as error:
        raise HubError(_unreachable(error) + cut) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubError(f"{what} cannot be reached: HF_HUB_OFFLINE is set, unset it") from error
    except errors.LocalEntryNotFoundError as error:
        raise HubError(_explain_chain(error, what, revision, cut)) from error
    except (RuntimeError, ValueError) as error:
        # An upload's failure arrives wrapped, its cause chained.
        if isinstance(error.__cause__, (errors.HfHubHTTPError, httpx.HTTPError)):
            raise HubError(_explain_chain(error, what, revision, cut)) from error
        raise


def _explain_chain(error: BaseException, what: str, revision: str | None, cut: str) -> str:
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError):
            return _explain(cause, what, revision)
        if isinstance(cause, httpx.HTTPError):
            return _unreachable(cause) + cut
        cause = cause.__cause__ or cause.__context__
    return f"{what} could not be fetched: {_one_line(str(error))}"


def _unreachable(error: BaseException) -> str:
    return (
        f"no Hub answers at {endpoint()} ({_one_line(str(error)) or type(error).__name__}): check HF_ENDPOINT "
        "and the network, or run 'demodeck hub serve --root DIR' and export the HF_ENDPOINT that it prints"
    )


def _explain(error: Exception, what: str, revision: str | None) -> str:
    from huggingface_hub import errors, get_token

    at = f"on the Hub at {endpoint()}"
    if isinstance(error, errors.HFValidationError):
        return f"{what}: not a valid repository id ({_one_line(str(error))}): use NAMESPACE/NAME"
    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"{what}: not logged in {at}: run 'hf auth login', or set HF_TOKEN"
    assert isinstance(error, errors.HfHubHTTPError)
    status = error.response.status_code
    said = _one_line(error.server_message or "") or _one_line(str(error).splitlines()[0])
    known = bool(get_token())
    if isinstance(error, errors.RevisionNotFoundError):
        return (
            f"{what} has no revision '{revision or 'main'}' {at}: name one of its branches, tags or commits"
        )
    if isinstance(error, errors.GatedRepoError):
        return f"{what} is gated {at}: ask for access on its page, then log in with 'hf auth login'"
    if status == 401:
        if known:
            return f"{what}: the Hub at {endpoint()} refused the token ({said}): check HF_TOKEN"
        return f"{what} does not exist {at}, or needs a login: check the name, or set HF_TOKEN"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{what} does not exist {at} (or this user may not see it): check the name and HF_ENDPOINT"
    if status == 403:
        return f"{what}: no right to do this {at}: {said}: use a namespace of yours, or another token"
    if status == 412:
        return f"{what} was changed by somebody else during the push {at}: run the same command again"
    if status == 507:
        return f"{what}: {said}"
    return f"{what}: the Hub at {endpoint()} answered {status}: {said}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
