"""Text: split by position, vocabulary of the training part, contiguous streams, chunks."""

import os

import pytest
import torch

from gatedrnn.data import (
    CharVocabulary,
    StreamChunks,
    batchify,
    chunks,
    load_text,
    split_text,
)


def test_the_split_is_by_position_and_loses_nothing():
    text = "".join(chr(97 + i % 26) + str(i) for i in range(500))
    split = split_text(text)
    assert split.train + split.valid + split.test == text
    assert len(split.train) == int(0.9 * len(text))
    assert abs(len(split.valid) - len(split.test)) <= 1
    with pytest.raises(ValueError, match="leave a part empty"):
        split_text("too short")


def test_the_vocabulary_knows_the_training_part_only():
    vocabulary = CharVocabulary("banana")
    assert vocabulary.characters == ["a", "b", "n"]
    assert len(vocabulary) == 4
    ids = vocabulary.encode("nab!?")
    assert ids.tolist() == [2, 0, 1, 3, 3]
    assert vocabulary.unknown_id == 3
    assert vocabulary.decode(ids) == "nab\ufffd\ufffd"
    assert vocabulary.encode("").dtype == torch.long


def test_each_stream_goes_on_where_the_one_before_stops():
    ids = torch.arange(17)
    streams = batchify(ids, 3)
    assert streams.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]
    with pytest.raises(ValueError, match="at least two ids a stream for 9 streams"):
        batchify(ids, 9)
    with pytest.raises(ValueError, match="for 0 streams"):
        batchify(ids, 0)


@pytest.mark.parametrize("length", [1, 3, 4, 9, 50])
def test_every_target_comes_once_and_is_the_next_id(length):
    streams = batchify(torch.arange(20), 2)
    seen = torch.cat([chunk.targets for chunk in chunks(streams, length)], dim=1)
    read = torch.cat([chunk.inputs for chunk in chunks(streams, length)], dim=1)
    assert torch.equal(seen, streams[:, 1:])
    assert torch.equal(read, streams[:, :-1])
    first = [chunk.first for chunk in chunks(streams, length)]
    assert first == [True] + [False] * (len(first) - 1)


def test_the_endless_source_wraps_round_with_a_fresh_state_and_resumes():
    source = StreamChunks(batchify(torch.arange(20), 2), 4)
    drawn = [source.next_batch() for _ in range(5)]
    assert [chunk.first for chunk in drawn] == [True, False, True, False, True]
    assert drawn[1].inputs.tolist() == [[4, 5, 6, 7], [14, 15, 16, 17]]
    assert drawn[1].targets.tolist() == [[5, 6, 7, 8], [15, 16, 17, 18]]
    other = StreamChunks(source.streams, 4)
    other.load_state_dict(source.state_dict())
    assert torch.equal(other.next_batch().inputs, source.next_batch().inputs)


def test_lengths_that_cannot_be_are_named():
    streams = batchify(torch.arange(20), 2)
    with pytest.raises(ValueError, match="from 1 to 9 .* got 10"):
        StreamChunks(streams, 10)
    with pytest.raises(ValueError, match="at least one step long, got 0"):
        next(chunks(streams, 0))


@pytest.mark.skipif(
    not os.environ.get("GATEDRNN_DATA"), reason="needs the data: set GATEDRNN_DATA to a mirror"
)
def test_tinyshakespeare_is_the_known_text():
    text = load_text("tinyshakespeare")
    split = split_text(text)
    # The counts that are published with the set.
    assert (len(text), len(set(text)), len(split.train)) == (1_115_394, 65, 1_003_854)
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    unseen = set(split.valid + split.test) - set(split.train)
    assert unseen == set()
