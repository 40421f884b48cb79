"""The player of the review room: an episode's pictures and plots under one cursor."""

from curation.tui.player.spans import Span
from curation.tui.player.widget import Player

__all__ = ["Player", "Span"]
