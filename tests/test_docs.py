"""What is written for users: every link leads somewhere. That every command is described, `test_demodeck` holds."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PAGES = [
    PROJECT / "README.md",
    *sorted((PROJECT / "docs").glob("*.md")),
    PROJECT / "tests" / "benchmarks" / "README.md",
]


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
