"""Character-level text: load, split by position, encode, and cut into contiguous streams."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatedrnn.data.sources import DataError, fetch

_TEXT_FILES = {"tinyshakespeare": "input.txt", "timemachine": "timemachine.txt"}


def load_text(name: str) -> str:
    """Return the whole text of a named set, line ends as in the file.

    Raises DataError when the name is no text set, or as `fetch` does.
    """
    if name not in _TEXT_FILES:
        known = ", ".join(sorted(_TEXT_FILES))
        raise DataError(f"There is no text called {name!r}; choose one of: {known}.")
    return fetch(name, _TEXT_FILES[name]).read_bytes().decode("utf-8")


@dataclass(frozen=True)
class TextSplit:
    """The three parts of one text, in the order in which they stand in it."""

    train: str
    valid: str
    test: str


def split_text(text: str, train: float = 0.90, valid: float = 0.05) -> TextSplit:
    """Split a text by position: the first 90 % train, the next 5 % validate, the rest tests.

    Nothing is shuffled, so no part of a validation or test sentence is seen in training.
    Raises ValueError when the shares leave one of the three parts empty.
    """
    first = int(len(text) * train)
    second = int(len(text) * (train + valid))
    parts = TextSplit(text[:first], text[first:second], text[second:])
    if not (parts.train and parts.valid and parts.test):
        raise ValueError(
            f"The shares train={train} and valid={valid} of {len(text)} characters leave a part "
            "empty; give two positive shares whose sum is below 1, and a longer text."
        )
    return parts


class CharVocabulary:
    """Characters and their ids, with one id more for every character not met in training.

    Ids 0 to n-1 are the n distinct characters in order of their code points; id n stands for
    any other character, is decoded as U+FFFD, and is never a training target. A model
    therefore pays for an unknown character in full: it is not left out of the mean.
    """

    UNKNOWN = "\ufffd"

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = sorted(set(characters))
        self._ids = {character: index for index, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters) + 1

    @property
    def unknown_id(self) -> int:
        """Return the id that stands for every character not met in training."""
        return len(self.characters)

    def encode(self, text: str) -> Tensor:
        """Return the ids of a text, shape (len(text),), dtype int64."""
        ids = self._ids
        return torch.tensor([ids.get(character, self.unknown_id) for character in text]).long()

    def decode(self, ids: Iterable[int] | Tensor) -> str:
        """Return the text of a sequence of ids; an id outside the vocabulary raises IndexError."""
        symbols = [*self.characters, self.UNKNOWN]
        return "".join(symbols[int(index)] for index in ids)


def batchify(ids: Tensor, batch_size: int) -> Tensor:
    """Cut one sequence of ids into B contiguous streams, shape (B, N // B).

    Row b continues where row b - 1 stops, so that a state carried from one chunk of a row to
    the next is the state of the text itself; the last N mod B ids are dropped.
    Raises ValueError when the streams would be shorter than two ids.
    """
    length = ids.numel() // batch_size if batch_size > 0 else 0
    if ids.ndim != 1 or length < 2:
        raise ValueError(
            f"Expected one sequence of at least two ids a stream for {batch_size} streams, got "
            f"shape {tuple(ids.shape)}; give a longer text or fewer streams."
        )
    return ids[: batch_size * length].view(batch_size, length)


class Chunk(NamedTuple):
    """Inputs and targets of one chunk, both (B, T); `first` says that no state is carried in."""

    inputs: Tensor
    targets: Tensor
    first: bool

    def to(self, device: torch.device | str) -> "Chunk":
        """Return the same chunk on another device."""
        return Chunk(self.inputs.to(device), self.targets.to(device), self.first)


def chunks(streams: Tensor, length: int) -> Iterator[Chunk]:
    """Walk over streams (B, N) once, T steps at a time; targets are the inputs one step later.

    Every id but the first of each stream is a target exactly once, so the last chunk may be
    shorter. Raises ValueError when the length is not positive.
    """
    if length < 1:
        raise ValueError(f"A chunk must be at least one step long, got {length}.")
    last = streams.shape[1] - 1
    for start in range(0, last, length):
        stop = min(start + length, last)
        yield Chunk(streams[:, start:stop], streams[:, start + 1 : stop + 1], start == 0)


class StreamChunks:
    """Chunks of streams (B, N) without end: pass after pass, each starting with a fresh state.

    A source of batches for `gatedrnn.training.fit`; its position can be saved and restored.
    """

    def __init__(self, streams: Tensor, length: int) -> None:
        if not 1 <= length < streams.shape[1]:
            raise ValueError(
                f"Expected a chunk length from 1 to {streams.shape[1] - 1} for streams of "
                f"{streams.shape[1]} ids, got {length}."
            )
        self.streams = streams
        self.length = length
        self._position = 0

    def next_batch(self) -> Chunk:
        """Return the next full chunk; a remainder shorter than the chunk length is skipped."""
        if self._position + self.length >= self.streams.shape[1]:
            self._position = 0
        start, stop = self._position, self._position + self.length
        self._position = stop
        return Chunk(self.streams[:, start:stop], self.streams[:, start + 1 : stop + 1], start == 0)

    def state_dict(self) -> dict[str, Any]:
        """Return the position in the streams."""
        return {"position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved position."""
        self._position = int(state["position"])
