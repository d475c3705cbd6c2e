"""Music as sets of notes: a piano roll is a matrix of frames by keys, 1 where a note sounds."""

import json

import torch
from torch import Tensor

from gatedrnn.data.sources import DataError, fetch

_MUSIC_FILES = {"jsb-chorales": "jsb-chorales-quarter.json"}
#: The keys of a piano, and the MIDI number of the lowest.
KEYS, LOWEST = 88, 21


def load_music(name: str) -> dict[str, list[Tensor]]:
    """Return the piano rolls of a named set, each (T, 88) of 0 and 1, by "train", "valid", "test".

    The split is the one that the set is published with. A frame of the chorales is a quarter note,
    and two voices on one note count once.
    Raises DataError when the name is no set of music, or as `fetch` does.
    """
    if name not in _MUSIC_FILES:
        known = ", ".join(sorted(_MUSIC_FILES))
        raise DataError(f"There is no music called {name!r}; choose one of: {known}.")
    pieces = json.loads(fetch(name, _MUSIC_FILES[name]).read_text(encoding="utf-8"))
    return {part: [piano_roll(p) for p in pieces[part]] for part in ("train", "valid", "test")}


def piano_roll(frames: list[list[int]]) -> Tensor:
    """Return the piano roll (T, 88), float32, of a list of frames of MIDI numbers.

    Raises ValueError for a note that a piano has not.
    """
    roll = torch.zeros(len(frames), KEYS)
    for t, notes in enumerate(frames):
        for note in notes:
            if not LOWEST <= note < LOWEST + KEYS:
                raise ValueError(
                    f"A note must be a MIDI number from {LOWEST} to {LOWEST + KEYS - 1}, got "
                    f"{note} in frame {t}."
                )
            roll[t, note - LOWEST] = 1.0
    return roll


def pad_rolls(rolls: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return rolls of unequal length as one array (B, T, 88), padded with 0, and lengths (B,).

    Raises ValueError for an empty list.
    """
    if not rolls:
        raise ValueError("Expected at least one piano roll, got none.")
    lengths = torch.tensor([len(roll) for roll in rolls])
    return torch.nn.utils.rnn.pad_sequence(rolls, batch_first=True), lengths
