"""Data by name: seeded synthetic tasks, and real sets with address, checksum and licence."""

from gatedrnn.data.music import load_music, pad_rolls, piano_roll
from gatedrnn.data.sources import DataError, dataset_names, describe, fetch
from gatedrnn.data.synthetic import adding_problem, copy_memory
from gatedrnn.data.text import (
    CharVocabulary,
    StreamChunks,
    TextSplit,
    batchify,
    chunks,
    load_text,
    split_text,
)

__all__ = [
    "CharVocabulary",
    "DataError",
    "StreamChunks",
    "TextSplit",
    "adding_problem",
    "batchify",
    "chunks",
    "copy_memory",
    "dataset_names",
    "describe",
    "fetch",
    "load_music",
    "load_text",
    "pad_rolls",
    "piano_roll",
    "split_text",
]
