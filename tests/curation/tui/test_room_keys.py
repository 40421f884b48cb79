"""What keys do in the review room: decisions are on the disk at once, in order, and the next episode is there."""

import asyncio
import shutil

import pytest
from arm_dataset import record
from room_rig import current, entries, review, run, text_of, until, written
from synthetic_arm import flight

from collector.dataset.durable import write_all
from collector.dataset.labels import Labels
from collector.dataset.reader import Dataset
from collector.dataset.saved import Selections
from collector.errors import UsageError
from curation.room import Room
from curation.tui.actions import ACTIONS, all_actions
from curation.tui.app import ReviewApp
from curation.tui.listing import Listing
from curation.tui.looking import Looking
from curation.tui.player import Player
from curation.tui.saying import Saying
from curation.tui.screens import AskScreen, HelpScreen, TagsScreen, TextScreen
from curation.tui.sharing import Sharing

A, B, C = 11, 3, 7
"""The faulty ones, the worst first."""


def test_a_key_decides_and_the_next_episode_that_waits_is_there(judged):
    app = review(judged)

    async def test(pilot):
        assert [int(e) for e in app.room.rows[:3]] == [A, B, C]  # the faulty ones
        await pilot.press("d")
        assert app.queue.episode == B and app.looking.shown == B
        await pilot.press("k", "s")
        assert app.queue.episode == C  # success does not go on: it is said beside the verdict
        await pilot.press("4", "d")
        assert app.queue.episode in (2, 4)
        await until(pilot, lambda: app.player.length > 0)

    run(test, app)
    assert entries(judged)[-5:] == [
        ("ann", [A], "verdict", "drop"),
        ("ann", [B], "verdict", "keep"),
        ("ann", [C], "success", True),
        ("ann", [C], "rating", 4),
        ("ann", [C], "verdict", "drop"),
    ]


def test_undo_and_redo_go_back_as_far_as_one_likes_and_only_through_ones_own(judged):
    app, before = review(judged), current(judged)

    async def test(pilot):
        await pilot.press("d", "k", "d")
        await written(pilot)
        for n in (2, 1, 0):
            await pilot.press("u")
            await until(pilot, lambda n=n: len(current(judged, "ann")) == n)
        assert current(judged) == before
        await pilot.press("u")
        await until(pilot, lambda: "no label to undo by ann" in app.said)
        await pilot.press("U", "U", "U")
        await until(pilot, lambda: len(current(judged, "ann")) == 3)
        await until(pilot, lambda: app.room.counts().unseen == 11)

    run(test, app)
    assert current(judged, "ann") == {
        A: {"verdict": "drop"},
        B: {"verdict": "keep"},
        C: {"verdict": "drop"},
    }


def test_a_decision_goes_to_all_rows_that_were_chosen(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("x", "down", "X")  # the first, and from there to the third
        assert app.queue.marked == {3, 7, 11}
        await pilot.press("f")
        assert app.queue.marked, "only the verdict lets go of them"
        await pilot.press("d")
        assert not app.queue.marked
        await pilot.press("a")
        assert len(app.queue.marked) == 14 and "14 chosen" in text_of(app)
        await pilot.press("escape")
        assert not app.queue.marked

    run(test, app)
    assert entries(judged)[-2:] == [
        ("ann", [3, 7, 11], "success", False),
        ("ann", [3, 7, 11], "verdict", "drop"),
    ]


def test_notes_and_tags_in_words(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"it [slips]", "enter")
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TagsScreen))
        await pilot.pause()
        await pilot.press(*"wet", "enter", "down", "down", "enter", "escape")
        await until(pilot, lambda: app.screen is app.screen_stack[0])
        assert "note: it [slips]" in text_of(app)

    run(test, app)
    assert current(judged)[A] == {"note": "it [slips]", "tags": ["slow", "wet"]}


def test_marks_cut_and_name_what_is_done_and_the_next_episode_gets_the_same_sentences(judged):
    app = review(judged)

    async def test(pilot):
        await until(pilot, lambda: app.player.length > 0)
        await pilot.press("shift+right", ",", "shift+right", ".", "c", "g")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"reach", "enter")
        await written(pilot)
        await pilot.press("j", "w")
        await written(pilot)
        await pilot.press("w")
        assert "no other episode" in app.said

    run(test, app)
    lengths = Dataset.open(judged).lengths()
    scaled = [round(n * lengths[B] / lengths[A]) for n in (10, 21)]
    assert current(judged)[A]["trim"] == [10, 21]
    assert current(judged)[A]["segments"] == [{"from_frame": 10, "to_frame": 21, "text": "reach"}]
    assert current(judged)[B]["segments"] == [
        {"from_frame": scaled[0], "to_frame": scaled[1], "text": "reach"}
    ]


def test_marks_the_wrong_way_round_are_refused_in_words(judged):
    app = review(judged)

    async def test(pilot):
        await until(pilot, lambda: app.player.length > 0)
        await pilot.press("shift+right", ",", "home", ".", "c")
        assert "put 'in' (,) before 'out' (.)" in app.said

    run(test, app)
    assert not current(judged, "ann")


def test_a_filter_narrows_the_list_and_a_wrong_one_says_why(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("/", *"fau")
        assert "faults" in text_of(app)
        await pilot.press("tab", *" > 0", "enter")
        await until(pilot, lambda: len(app.room.rows) == 3)
        assert app.focused is app.queue
        await pilot.press("/", *" and", "enter")
        await until(pilot, lambda: "no SELECT" in app.said or "no condition" in app.said)
        assert len(app.room.rows) == 3
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(app.room.rows) == 14)
        app.listing.narrow("length > 99999")
        await until(pilot, lambda: len(app.room.rows) == 0)
        assert "matches no episode" in text_of(app)
        await pilot.press("d", "c", "x", "X", "j", "up", "pagedown", "b")
        assert "no episode is on the list" in app.said

    run(test, app)
    assert not current(judged, "ann")


def test_plain_words_write_the_condition(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("W")
        await until(pilot, lambda: app.screen is not app.screen_stack[0])
        app.screen.query_one("#verdict").value = "keep"
        app.screen.query_one("#shortest").value = "1"
        await pilot.pause()
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.room.condition != "")
        assert app.room.condition == "verdict = 'keep' AND duration_s >= 1"
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*"good", "enter")
        await until(pilot, lambda: "@good is saved" in app.said)
        await pilot.press("escape")
        await until(pilot, lambda: app.room.condition == "")
        await pilot.press("@", "down", "enter")
        await until(pilot, lambda: app.room.condition == "@good")
        await pilot.press("@", "down", "x")
        await until(pilot, lambda: "no more" in app.said)

    run(test, app)


def test_disputes_are_settled_by_a_side_or_by_a_third_word(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("A")
        assert [int(e) for e in app.room.rows] == [4, 2]
        assert "DISPUTE over verdict" in text_of(app) and "bob: keep" in text_of(app)
        await pilot.press(">")
        assert app.queue.episode == 2 and "(settled)" in app.said
        await pilot.press("k")
        await written(pilot)
        assert not Labels(judged).conflicts()
        await until(pilot, lambda: not app.room.standing.conflicts)
        await pilot.press("A", "<")
        assert "no two people differ" in app.said

    run(test, app)
    assert {e: said["verdict"] for e, said in current(judged, "ann").items()} == {4: "drop", 2: "keep"}


def test_a_blind_review_hides_what_others_said_until_one_has_judged(judged):
    Labels(judged).set([0], "verdict", "drop", "bob")
    app = review(judged, author="dan", blind=[0])

    async def test(pilot):
        assert [int(e) for e in app.room.rows] == [0]
        assert "drop" not in text_of(app).replace("d drop", "") and "hidden until" in text_of(app)
        assert "0 of 1 judged by dan" in text_of(app)
        await pilot.press("k")
        assert "1 of 1 judged by dan" in text_of(app) and "hidden until" not in text_of(app)
        await written(pilot)
        await pilot.press("V")
        assert len(app.room.rows) == 14
        await pilot.press("K")
        await until(pilot, lambda: isinstance(app.screen, TextScreen))
        assert "bob and dan" in text_of(app)

    run(test, app)


def test_a_blind_review_does_not_filter_by_what_others_said(judged):
    Selections(judged).save("bobs", "rating > 3 or verdict = 'drop'", "bob")
    for told in ("VERDICT = 'drop'", "length > 5 and @bobs", "SELECT episode_index FROM labels"):
        with pytest.raises(UsageError, match="blind review does not filter"):
            Room(Dataset.open(judged), "dan", told, blind=[0])
    app = review(judged, author="dan", blind=[0, 1])

    async def test(pilot):
        app.listing.narrow("list_contains(tags, 'slow')")
        await until(pilot, lambda: "may have said (tags)" in app.said)
        assert app.room.condition == ""
        app.listing.narrow("length > 5")
        await until(pilot, lambda: app.room.condition == "length > 5")
        await pilot.press("V")
        app.listing.narrow("verdict = 'drop'")
        await until(pilot, lambda: app.room.condition == "verdict = 'drop'")
        await pilot.press("V")
        assert app.room.blind is None and "may have said (verdict)" in app.said

    run(test, app)


def test_what_others_say_meanwhile_is_taken_in(judged, tmp_path):
    app, copy = review(judged), tmp_path / "copy"
    shutil.copytree(judged, copy)
    Labels(copy).set([0, 1], "success", False, "eva")

    async def test(pilot):
        Labels(judged).set([9], "verdict", "keep", "eva")
        await until(pilot, lambda: app.room.standing.value(9, "verdict") == "keep")
        await pilot.press("M")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*str(copy), "enter")
        await until(pilot, lambda: "1 entries taken over (eva 1)" in app.said)
        await until(pilot, lambda: app.room.standing.value(1, "success") is False)

    run(test, app)


def test_episodes_that_are_recorded_meanwhile_come_onto_the_list(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("down")
        await asyncio.to_thread(record, judged, [flight(77)], True)
        await until(pilot, lambda: len(app.room.rows) == 15)
        assert app.queue.episode == B and "15 episodes, 14 before" in app.said
        await until(pilot, lambda: app.player.length > 0)
        await pilot.press("d")

    run(test, app)
    assert current(judged, "ann") == {B: {"verdict": "drop"}}


def test_a_full_disk_loses_nothing_that_was_decided(judged, monkeypatch):
    app, full = review(judged), True

    def write(descriptor, content):
        if full:
            raise OSError(28, "No space left on device", "labels.jsonl")
        write_all(descriptor, content)

    monkeypatch.setattr("collector.dataset.label_file.durable.write_all", write)
    monkeypatch.setattr("curation.ledger.RETRY_S", 0.02)

    async def test(pilot):
        nonlocal full
        await pilot.press("d", "k")
        await until(pilot, lambda: "disk is full" in app.said)
        app.redraw()
        await pilot.pause()
        assert "2 not saved yet" in text_of(app)
        full = False
        await written(pilot)
        await until(pilot, lambda: "not saved yet" not in text_of(app))

    run(test, app)
    assert current(judged, "ann") == {A: {"verdict": "drop"}, B: {"verdict": "keep"}}


def test_where_nothing_may_be_written_one_can_look(judged):
    app = review(judged, why_not="arm may not be written: copy it", notice="arm may not be written: copy it")

    async def test(pilot):
        await pilot.press("d", "n", "t", "u", "g", "M", "R", "V", "w", "y")
        assert app.screen is app.screen_stack[0]
        await pilot.press("down", "d")
        assert app.said == "arm may not be written: copy it"

    run(test, app)
    assert not current(judged, "ann")


def test_a_set_that_was_never_scored_is_scored_from_the_room(arm):
    app = review(arm)

    async def test(pilot):
        assert "never scored" in text_of(app)
        await pilot.press("R")
        await until(pilot, lambda: app.room.evidence.scored)
        await until(pilot, lambda: app.queue.episode == A)
        assert "never scored" not in text_of(app)

    run(test, app)


def test_keys_can_be_others_and_a_key_means_one_thing(judged):
    app = review(judged, keys={"drop": "d", "keep": ["]", "K"]})

    async def test(pilot):
        await pilot.press("right_square_bracket", "K", "d")
        await written(pilot)

    run(test, app)
    assert [value for *_, value in entries(judged)[-3:]] == ["keep", "keep", "drop"]
    with pytest.raises(UsageError, match="there are keep, drop"):
        all_actions({"dorp": "d"}, Player.BINDINGS)
    with pytest.raises(UsageError, match="more than one"):
        all_actions({"drop": "d", "keep": "d"}, Player.BINDINGS)


def test_no_two_actions_share_a_key_or_a_name_and_all_can_be_done():
    actions = all_actions({}, Player.BINDINGS)
    keys = [key for action in actions for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len({action.name for action in actions}) == len(actions)
    for action in ACTIONS:
        if action.decides is None:
            assert any(
                hasattr(one, f"do_{action.name}") for one in (ReviewApp, Saying, Listing, Looking, Sharing)
            )


def test_help_shows_beside_each_key_the_command_that_does_the_same(judged):
    app = review(judged)

    async def test(pilot):
        await pilot.press("?")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        shown = text_of(app)
        assert "demodeck label DATASET N --verdict drop" in shown
        await pilot.press("escape", "q")
        await until(pilot, lambda: not app.is_running)

    run(test, app, (120, 120))
