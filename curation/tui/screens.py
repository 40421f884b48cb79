"""What lies over the room: questions, lists to choose from, help, and texts to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from collector.errors import shown
from collector.keymap import shown_key
from curation.tui.actions import Action


class HelpScreen(ModalScreen[None]):
    """All keys, and beside each the command that does the same."""

    BINDINGS = [Binding("escape,question_mark,q", "dismiss", "close")]

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = [action for action in actions if action.keys or action.command]

    def compose(self) -> ComposeResult:
        keys = {a.name: ", ".join(map(shown_key, a.keys)) or "(palette)" for a in self._actions}
        width = max(map(len, keys.values())) + 2
        lines = [Content.from_markup("[b]Keys[/b]  (--keys gives them others; Esc closes)")]
        for group, actions in groupby(self._actions, key=lambda action: action.group):
            lines.append(Content.from_markup("\n[b]$group[/b]", group=group))
            for action in actions:
                lines.append(
                    Content.from_markup(
                        "[b]$keys[/b]$words", keys=keys[action.name].ljust(width), words=action.help
                    )
                )
                if action.command:
                    lines.append(
                        Content.from_markup(
                            "$blank[dim]$command[/dim]", blank=" " * width, command=action.command
                        )
                    )
        yield VerticalScroll(Static(Content("\n").join(lines)))


class TextScreen(ModalScreen[bool]):
    """Lines to read; with a question, `y` says yes."""

    BINDINGS = [
        Binding("escape,q,n,enter", "answer(False)", "close"),
        Binding("y", "answer(True)", "yes"),
    ]

    def __init__(self, title: str, lines: Sequence[str], question: str = "") -> None:
        super().__init__()
        self._title, self._lines, self._question = title, lines, question

    def compose(self) -> ComposeResult:
        head = Content.from_markup("[b]$title[/b]\n", title=self._title)
        end = [Content.from_markup("\n[b]$question[/b]", question=self._question)] if self._question else []
        lines = [Content(shown(line, 2000)) for line in self._lines]
        yield VerticalScroll(Static(Content("\n").join([head, *lines, *end])))

    def action_answer(self, yes: bool) -> None:
        """Close, with the answer."""
        self.dismiss(yes and bool(self._question))


class AskScreen(ModalScreen[str | None]):
    """A question that is answered by a line of text."""

    BINDINGS = [Binding("escape", "dismiss(None)", "close")]

    def __init__(self, question: str, text: str = "", hint: str = "") -> None:
        super().__init__()
        self._question, self._text, self._hint = question, text, hint

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(shown(self._question, 300)))
            yield Input(self._text, placeholder=self._hint, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value)


class ChooseScreen(ModalScreen[str | None]):
    """A list of which one is chosen; Delete forgets one, where that is possible.

    Args:
        title: What is chosen.
        options: By name, what is shown of it.
        forget: Takes one away, for good; None where nothing can.
    """

    BINDINGS = [Binding("escape", "dismiss(None)", "close"), Binding("delete,x", "forget", "forget")]

    def __init__(
        self, title: str, options: dict[str, str], forget: Callable[[str], bool] | None = None
    ) -> None:
        super().__init__()
        self._title, self._options, self._forget = title, options, forget

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content(self._title))
            yield OptionList(
                *(Option(Content(shown(v, 300)), id=k) for k, v in self._options.items()), compact=True
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)

    def action_forget(self) -> None:
        """Take the highlighted one away."""
        options = self.query_one(OptionList)
        option = options.highlighted_option
        if self._forget is not None and option is not None and option.id and self._forget(option.id):
            options.remove_option(option.id)


class TagsScreen(ModalScreen[None]):
    """The tags in use, each on or off, and a line for new ones. Every change is a decision at once.

    Args:
        tags: Those in use.
        is_on: Whether the episode has a tag now.
        toggle: Gives it, or takes it away.
    """

    BINDINGS = [Binding("escape", "dismiss", "close")]

    def __init__(
        self, tags: Sequence[str], is_on: Callable[[str], bool], toggle: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._tags, self._is_on, self._toggle = list(tags), is_on, toggle

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content("tags: type one, or choose by ↓ and Enter; Esc closes"))
            yield Input(placeholder="a new tag", compact=True)
            yield OptionList(*(Option(self._line(tag)) for tag in self._tags), compact=True)

    def _line(self, tag: str) -> Content:
        return Content(("[x] " if self._is_on(tag) else "[ ] ") + shown(tag, 100))

    def on_key(self, event: Key) -> None:
        if event.key == "down" and self.query_one(Input).has_focus and self._tags:
            event.stop()
            options = self.query_one(OptionList)
            options.highlighted = 0
            options.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        for tag in filter(None, map(str.strip, event.value.split(","))):
            self._toggle(tag)
            if tag not in self._tags:
                self._tags.append(tag)
                self.query_one(OptionList).add_option(Option(self._line(tag)))
        if not event.value.strip():
            self.dismiss()
        event.input.value = ""
        self._relist()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._toggle(self._tags[event.option_index])
        self._relist()

    def _relist(self) -> None:
        for number, tag in enumerate(self._tags):
            self.query_one(OptionList).replace_option_prompt_at_index(number, self._line(tag))
