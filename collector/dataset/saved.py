"""Named selections that are saved with a dataset (`curation/selections.jsonl`), written `@name` in any condition.

Entries are as those of labels: appended with author and time, mergeable; the latest of a name holds. What they say
may be a stranger's: it is run like any query, in a sealed database (`sealed`).
"""

from __future__ import annotations

import re
from pathlib import Path

from collector.dataset.label_file import Entry, LabelFile, in_order
from collector.dataset.sealed import is_statement
from collector.errors import UsageError, shown

SELECTIONS = Path("curation/selections.jsonl")
_MOST_LETTERS = 100_000
_DEEPEST = 20
# Quoted text and comments are passed over; what is left may hold @name.
_NAMES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|@([A-Za-z_]\w*)""", re.DOTALL)


class Selections:
    """The named selections of a dataset.

    Args:
        root: The dataset's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.file = LabelFile(self.root / SELECTIONS)

    def all(self) -> dict[str, Entry]:
        """Return the entry that holds of each name (`sql`, `author`, `at`), by name; oddities are not there.

        Raises:
            DataError: If the file is damaged.
        """
        found: dict[str, Entry] = {}
        for entry in in_order(self.file.entries()):
            name, sql = entry.get("name"), entry.get("sql")
            if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name):
                found.pop(name, None)
                if isinstance(sql, str):
                    found[name] = entry
        return dict(sorted(found.items()))

    def save(self, name: str, sql: str | None, author: str) -> Entry:
        """Save a condition or a SELECT with the column `episode_index` under a name; None takes the name away.

        Whether it is SQL is the caller's to try. An earlier selection of the name stays in the file.

        Raises:
            UsageError: If the name is none, or to be taken away and not there.
            OSError: If the disk refuses.
        """
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise UsageError(
                f"'{name}' is no name for a selection: use letters, digits and '_', like good_ones"
            )
        if sql is None:
            self._there(name)
        return self.file.append([{"author": author, "name": name, "sql": sql}])[0]

    def expand(self, text: str) -> str:
        """Return a condition or query with each `@name` replaced by what it stands for.

        Raises:
            UsageError: If there is no such selection, or one holds itself, or they grow beyond all bounds.
        """
        return self._expanded(text, ())

    def _expanded(self, text: str, within: tuple[str, ...]) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return match[0]
            if name in within or len(within) >= _DEEPEST:
                raise UsageError(
                    f"the selection @{name} holds itself ({' > '.join([*within, name])}): save another"
                )
            sql = self._expanded(str(self._there(name)["sql"]), (*within, name))
            # The newline ends a trailing comment, which would otherwise swallow the bracket.
            if not is_statement(sql):
                sql = f"SELECT episode_index FROM episodes WHERE ({sql}\n)"
            return f"(episode_index IN (SELECT episode_index FROM ({sql}\n)))"

        grown = _NAMES.sub(replaced, text)
        if len(grown) > _MOST_LETTERS:
            raise UsageError(
                f"'{shown(text)}' stands for more than {_MOST_LETTERS} letters of SQL: save simpler selections"
            )
        return grown

    def _there(self, name: str) -> Entry:
        known = self.all()
        if name not in known:
            there = f"there are {', '.join(f'@{n}' for n in known)}" if known else "there are none"
            raise UsageError(
                f"no selection @{name} is saved with {self.root}: {there}; "
                f"save it with 'demodeck query {self.root} --save {name} \"SQL\"'"
            )
        return known[name]
