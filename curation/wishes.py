"""Plain words into SQL: a few choices become the condition that `demodeck query` takes."""

from __future__ import annotations

from dataclasses import dataclass

ANYTHING, NOTHING = "anything", "nothing"


@dataclass(frozen=True)
class Wishes:
    """What episodes are looked for; an empty text asks for nothing.

    Attributes:
        verdict: `keep`, `drop` or `undecided`.
        success: `yes`, `no` or `unknown`.
        found: `anything`, `nothing`, or the name of a check that found something.
        rating: It is at least this.
        tag: One of its tags.
        shortest, longest: Its length [s].
        unseen_by: On which this author said nothing.
    """

    verdict: str = ""
    success: str = ""
    found: str = ""
    rating: str = ""
    tag: str = ""
    shortest: str = ""
    longest: str = ""
    unseen_by: str = ""


def as_sql(wishes: Wishes) -> str:
    """Return the condition; '' where nothing is asked for."""
    parts = []
    if wishes.verdict:
        parts.append(
            "verdict IS NULL" if wishes.verdict == "undecided" else f"verdict = {quoted(wishes.verdict)}"
        )
    if wishes.success:
        parts.append({"yes": "success", "no": "NOT success"}.get(wishes.success, "success IS NULL"))
    if wishes.found == ANYTHING:
        parts.append("faults + warnings > 0")
    elif wishes.found == NOTHING:
        parts.append("faults + warnings = 0")
    elif wishes.found:
        parts.append(
            f'episode_index IN (SELECT episode_index FROM findings WHERE "check" = {quoted(wishes.found)})'
        )
    if wishes.rating:
        parts.append(f"rating >= {wishes.rating}")
    if wishes.tag:
        parts.append(f"list_contains(tags, {quoted(wishes.tag)})")
    if wishes.shortest and wishes.longest:
        parts.append(f"duration_s BETWEEN {wishes.shortest} AND {wishes.longest}")
    elif wishes.shortest or wishes.longest:
        sign, limit = (">=", wishes.shortest) if wishes.shortest else ("<=", wishes.longest)
        parts.append(f"duration_s {sign} {limit}")
    if wishes.unseen_by:
        parts.append(
            "episode_index NOT IN (SELECT episode_index FROM labels "
            f"WHERE author = {quoted(wishes.unseen_by)} AND NOT undone)"
        )
    return " AND ".join(parts)


def quoted(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
