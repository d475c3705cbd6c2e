"""Piano rolls: the known chorales, notes in their places, padding."""

import os

import pytest
import torch

from gatedrnn.data import DataError, load_music, pad_rolls, piano_roll


def test_a_note_stands_at_its_key():
    roll = piano_roll([[21, 60], [], [108], [60, 60]])
    assert roll.shape == (4, 88)
    assert roll.nonzero().tolist() == [[0, 0], [0, 39], [2, 87], [3, 39]]
    assert roll.max() == 1  # also where two voices have one note
    for note in (20, 109):
        with pytest.raises(ValueError, match=f"from 21 to 108, got {note} in frame 1"):
            piano_roll([[60], [note]])


def test_rolls_are_padded_after_their_end():
    short, long = piano_roll([[60]]), piano_roll([[61], [62], [63]])
    padded, lengths = pad_rolls([short, long])
    assert padded.shape == (2, 3, 88) and lengths.tolist() == [1, 3]
    assert torch.equal(padded[0, :1], short) and torch.equal(padded[1], long)
    assert padded[0, 1:].sum() == 0
    with pytest.raises(ValueError, match="at least one"):
        pad_rolls([])


def test_a_text_is_no_music():
    with pytest.raises(DataError, match="no music called 'tinyshakespeare'; .* jsb-chorales"):
        load_music("tinyshakespeare")


@pytest.mark.skipif(
    not os.environ.get("GATEDRNN_DATA"), reason="needs the data: set GATEDRNN_DATA to a mirror"
)
def test_the_chorales_are_the_known_ones():
    music = load_music("jsb-chorales")
    assert {part: len(rolls) for part, rolls in music.items()} == {
        "train": 229, "valid": 76, "test": 77
    }  # fmt: skip
    # The counts that are published with the set.
    frames = {part: sum(map(len, rolls)) for part, rolls in music.items()}
    assert frames == {"train": 13_807, "valid": 4_602, "test": 4_725}
    notes = torch.cat(music["train"])
    assert notes.sum(dim=1).max() == 4
