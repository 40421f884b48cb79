"""Wrong flags: one line that says what is wrong, not that something was."""

from dataclasses import dataclass, field

import pytest
from draccus import ChoiceRegistry

from collector.errors import MismatchError, UsageError
from collector.flags import parse_flags


@dataclass
class Device(ChoiceRegistry):
    pass


@Device.register_subclass("dial")
@dataclass
class Dial(Device):
    turns: int = 1

    def __post_init__(self):
        if self.turns < 0:
            raise ValueError(f"turns={self.turns}:\n  must be 0 or above")
        if self.turns > 9:
            raise MismatchError("a dial has at most 9 turns")


@dataclass
class Rig:
    dial: Dial = field(default_factory=Dial)
    spare: Device | None = None
    more: dict[str, Device] = field(default_factory=dict)


@pytest.mark.parametrize(
    "flags",
    [
        ["--dial.turns=-1"],
        ["--spare.type=dial", "--spare.turns=-1"],
        ["--more={first: {type: dial, turns: -1}}"],
    ],
)
def test_what_a_class_says_of_its_values_is_what_is_said(flags):
    with pytest.raises(UsageError) as caught:
        parse_flags(Rig, flags, "record")
    assert str(caught.value) == "Dial: turns=-1: must be 0 or above (see 'demodeck record --help')"


def test_an_error_of_ours_stays_what_it_is():
    with pytest.raises(MismatchError, match="at most 9 turns"):
        parse_flags(Rig, ["--dial.turns=10"], "record")


def test_a_value_of_another_kind_and_an_unknown_flag():
    with pytest.raises(UsageError, match="Couldn't parse 'many' into an int"):
        parse_flags(Rig, ["--dial.turns=many"], "record")
    with pytest.raises(UsageError, match=r"unknown flag '--dial.tuns': did you mean '--dial.turns'"):
        parse_flags(Rig, ["--dial.tuns=1"], "record")
