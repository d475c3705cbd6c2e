"""The boundary between processes: what goes over comes out equal, hostile bytes do not."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grader import wire
from grader.worker.channel import MAX_FRAME, Channel, Closed

_ARRAYS = hnp.arrays(
    dtype=st.sampled_from(sorted(wire.DTYPES)).map(np.dtype),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=20)
    | _ARRAYS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=15,
)


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return (
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, float):
        return struct.pack(">d", left) == struct.pack(">d", right) or left != left != right
    if isinstance(left, complex):
        return same(left.real, right.real) and same(left.imag, right.imag)
    return bool(left == right)


@given(_PLAIN)
@settings(max_examples=300, deadline=None)
def test_round_trip(value: Any) -> None:
    assert same(wire.loads(wire.dumps(value)), value)


@given(st.binary(max_size=400))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_a_value_or_a_bad_frame(data: bytes) -> None:
    with contextlib.suppress(wire.BadFrame):
        wire.loads(data)


_TAGS = ["i", "f", "c", "s", "list", "tuple", "dict", "array", "scalar", "tensor", "node"]
_NODES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(_TAGS),
            inner
            | st.tuples(st.sampled_from(sorted(wire.DTYPES)), st.lists(st.integers(), max_size=3)),
            max_size=2,
        )
    ),
    max_leaves=15,
)


@given(_NODES, st.binary(max_size=64))
@settings(max_examples=500, deadline=None)
def test_any_json_head_is_a_value_or_a_bad_frame(head: Any, body: bytes) -> None:
    with contextlib.suppress(wire.BadFrame):
        wire.loads(json.dumps(head).encode() + b"\n" + body)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"array":["float64",[1000000000000]]}\n',
        b'{"array":["object",[1]]}\n12345678',
        b'{"array":["float64",[-1]]}\n',
        b'{"array":["float64",[1]]}\n123456789',
        b'{"list":' * 2000,
        b'{"i":"0x' + b"f" * 5000 + b'"}\n',
        b'{"value":[]}\n',
    ],
)
def test_a_frame_that_lies_is_refused_before_memory_is_taken(frame: bytes) -> None:
    with pytest.raises(wire.BadFrame):
        wire.loads(frame)


class Sneaky(list):
    def __reduce__(self) -> Any:
        raise AssertionError("nothing here pickles")


@pytest.mark.parametrize("value", [object(), Sneaky(), {1, 2}, np.array([object()]), b"bytes"])
def test_what_is_not_plain_data_does_not_cross(value: Any) -> None:
    with pytest.raises(wire.Unusable):
        wire.dumps(value)


class Liar(np.ndarray):
    """Says other things of itself than it holds."""

    shape = property(lambda self: (9, 9))  # type: ignore[assignment]
    tobytes = astype = None  # type: ignore[assignment]

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return np.zeros((9, 9))


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3).view(Liar),
        np.asmatrix(np.arange(6.0).reshape(2, 3)),
        np.ma.masked_array(np.arange(6.0).reshape(2, 3), mask=False),
        np.arange(6, dtype=np.longdouble).reshape(2, 3),
    ],
)
def test_an_array_of_another_class_crosses_as_what_it_holds(value: Any) -> None:
    assert same(wire.clone(value), np.arange(6.0).reshape(2, 3))
    assert same(wire.clone(np.clongdouble(1 + 2j)), np.complex128(1 + 2j))


def test_dictionaries_have_no_more_keys_than_the_limit() -> None:
    whole = dict.fromkeys(range(wire.MAX_KEYS))
    assert wire.clone(whole) == whole
    with pytest.raises(wire.Unusable):
        wire.dumps([whole, {0: 0}])
    pairs = ",".join(f'[{{"i":"{n:#x}"}},null]' for n in range(wire.MAX_KEYS + 1))
    with pytest.raises(wire.BadFrame):
        wire.loads(f'{{"dict":[{pairs}]}}\n'.encode())


# ---------------------------------------------------------------- the channel


def pair() -> tuple[Channel, socket.socket]:
    ours, theirs = socket.socketpair()
    return Channel(ours), theirs


def test_a_channel_carries_large_values_whole() -> None:
    ours, theirs = pair()
    value = {"x": np.arange(500_000.0)}
    sender = threading.Thread(target=lambda: Channel(theirs).send(value))
    sender.start()
    assert same(ours.receive(time.monotonic() + 20), value)
    sender.join()


def test_a_frame_that_claims_too_much_is_refused() -> None:
    ours, theirs = pair()
    theirs.sendall(struct.pack(">Q", MAX_FRAME + 1))
    with pytest.raises(wire.BadFrame):
        ours.receive(time.monotonic() + 5)


def test_a_frame_that_comes_drop_by_drop_meets_the_deadline() -> None:
    ours, theirs = pair()
    theirs.sendall(struct.pack(">Q", 1000))
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            theirs.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        ours.receive(started + 0.5)
    assert time.monotonic() - started < 5
    stop.set()
    thread.join()


def test_a_closed_line_says_so() -> None:
    ours, theirs = pair()
    theirs.close()
    with pytest.raises(Closed):
        ours.receive(time.monotonic() + 5)
