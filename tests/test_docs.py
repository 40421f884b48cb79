"""What is written for users: every command is described, and every link leads somewhere."""

import re
from pathlib import Path

import pytest

from demodeck import VERBS

PROJECT = Path(__file__).parent.parent
FOR_USERS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
PAGES = [*FOR_USERS, PROJECT / "tests" / "benchmarks" / "README.md"]


@pytest.mark.parametrize("verb", [verb for verbs in VERBS.values() for verb in verbs])
def test_every_command_is_described(verb):
    assert any(re.search(rf"\bdemodeck {verb}\b", page.read_text()) for page in FOR_USERS)


def anchor(title):
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("http"):
            continue
        path, _, section = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        if section:
            titles = re.findall(r"(?m)^#+ (.*)$", there.read_text())
            assert section in map(anchor, titles), target
