"""What the review room hands to others: a page in a file, and the dataset on a Hub, each after it was asked for."""

from pathlib import Path

from arm_dataset import N_EPISODES
from room_rig import review, run, text_of, until

from curation.tui.screens import AskScreen, TextScreen


async def answer(pilot, key, words):
    """Press a key that asks for a line, and give it."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, AskScreen))
    await pilot.press("ctrl+a", "ctrl+k", *words, "enter")
    await until(pilot, lambda: not isinstance(pilot.app.screen, AskScreen))


def test_a_page_is_written_where_it_was_asked_for_and_overwrites_nothing(judged, tmp_path):
    app = review(judged)

    async def test(pilot):
        await answer(pilot, "O", "page.html")
        await until(pilot, lambda: app.said.startswith("page.html:"))
        first = (tmp_path / "page.html").read_bytes()
        assert b"<html" in first[:200].lower() and b"touches the rim" in first
        await answer(pilot, "O", "page.html")
        await until(pilot, lambda: "there already" in app.said)
        assert (tmp_path / "page.html").read_bytes() == first
        await answer(pilot, "O", "page.txt")
        await until(pilot, lambda: "no page" in app.said)

    run(test, app)


def test_a_dataset_is_published_only_after_a_yes_to_what_would_change(hub, arm):
    app = review(arm)

    async def shows(pilot, words):
        await until(pilot, lambda: isinstance(app.screen, TextScreen) and words in text_of(app))

    async def test(pilot):
        await answer(pilot, "P", "arm")
        await until(pilot, lambda: "OWNER/NAME" in app.said)

        await answer(pilot, "P", "ann/arm@first")
        await shows(pilot, "What would change")
        await pilot.press("n")
        await until(pilot, lambda: app.said == "nothing was published")
        assert not hub.repo_exists("ann/arm", repo_type="dataset")

        await pilot.press("d")
        await answer(pilot, "P", "ann/arm@first")
        await shows(pilot, "Publish this?")
        await pilot.press("y")
        await shows(pilot, "Published")
        await pilot.press("escape")

    run(test, app, (120, 48))
    tags = {tag.name for tag in hub.list_repo_refs("ann/arm", repo_type="dataset").tags}
    assert tags == {"v3.0", "first"}
    files = set(hub.list_repo_files("ann/arm", repo_type="dataset"))
    assert {"meta/info.json", "curation/labels.jsonl", "README.md"} <= files
    card = hub.hf_hub_download("ann/arm", "README.md", repo_type="dataset", revision="first")
    assert f"| episodes | {N_EPISODES} |" in Path(card).read_text()
