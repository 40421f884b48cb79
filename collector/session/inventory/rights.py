"""Why a device file cannot be used, in words: it is gone, there is no right to open it, or somebody has it open."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def trouble(path: str, kind: str, usb: str | None = None) -> str | None:
    """Return why `path` cannot be used and what to do, or None.

    Args:
        path: A device file or a link to one.
        kind: Its kernel subsystem: `tty`, `video4linux` or `input`.
        usb: Vendor and product of its USB device, such as `1a86:55d3`, where they are known.
    """
    if not Path(path).exists():
        return "is not there: plug its cable in, and see 'demodeck devices' for what is"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"may not be opened: {advice(path, kind, usb)}"
    users = [f"{name} (process {pid})" for pid, name in holders(path)]
    more = f" and {len(users) - 3} more" if len(users) > 3 else ""
    return f"is in use by {', '.join(users[:3])}{more}: end it first" if users else None


def advice(path: str, kind: str, usb: str | None = None) -> str:
    """Return what gives the right to open a device file: its group, and the udev rule that needs no group."""
    match = f'SUBSYSTEM=="{kind}"'
    if usb:
        vendor, _, product = usb.partition(":")
        match += f', ATTRS{{idVendor}}=="{vendor}", ATTRS{{idProduct}}=="{product}"'
    group = _group_of(path)
    joined = f"'sudo usermod -aG {group} $USER' and log in again, or " if group else ""
    return (
        f'{joined}put the line {match}, TAG+="uaccess" into /etc/udev/rules.d/60-demodeck.rules, run '
        "'sudo udevadm control --reload' and plug it in anew"
    )


def _group_of(path: str) -> str | None:
    """Return the group that may open a device file, where there is one for users."""
    with contextlib.suppress(ImportError, OSError, KeyError):
        import grp

        status = Path(path).stat()
        name = grp.getgrgid(status.st_gid).gr_name
        return name if name != "root" and status.st_mode & 0o060 == 0o060 else None
    return None


def holders(path: str) -> list[tuple[int, str]]:
    """Return (process id, name) of every process of ours that has `path` open; empty where that is not told."""
    device, found = os.path.realpath(path), []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            names = {os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}  # noqa: PTH115
            # Who has the other end of a pseudo-terminal is the device itself.
            if device in names and not names & {"/dev/ptmx", "/dev/pts/ptmx"}:
                found.append((int(process.name), (process / "comm").read_text().strip()))
    return found
