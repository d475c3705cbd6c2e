"""Frames of plain data over a socket: eight bytes that give the length, then one `wire` frame.

Both sides use it. Every wait has a deadline, and no length is believed beyond the limit.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

from grader import wire

#: What `wire.loads` accepts at most.
MAX_FRAME = 2 * wire.MAX_BYTES
_LENGTH = struct.Struct(">Q")


class Closed(ConnectionError):
    """The other side is gone."""


class Channel:
    """One end of the line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def send(self, value: Any, deadline: float | None = None) -> None:
        """Send `value`; raises `wire.Unusable`, `Closed`, or `TimeoutError` at the deadline."""
        frame = wire.dumps(value)
        self._wait_until(deadline)
        try:
            # In one piece: the other side is woken once.
            self._line.sendall(_LENGTH.pack(len(frame)) + frame)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self, deadline: float | None = None) -> Any:
        """The next value; raises `wire.BadFrame`, `Closed`, or `TimeoutError` at the deadline.

        `deadline` is in the seconds of `time.monotonic`.
        """
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        if length > MAX_FRAME:
            raise wire.BadFrame("a frame claims to be larger than the limit")
        return wire.loads(self._exactly(length, deadline))

    def close(self) -> None:
        self._line.close()

    def _exactly(self, count: int, deadline: float | None) -> bytes:
        # Memory is taken as bytes arrive, not as a length promises them.
        received = bytearray()
        while len(received) < count:
            self._wait_until(deadline)
            try:
                chunk = self._line.recv(min(count - len(received), 2**20))
            except TimeoutError:
                raise
            except OSError as error:
                raise Closed(str(error)) from None
            if not chunk:
                raise Closed("the other side closed the line")
            received += chunk
        return bytes(received)

    def _wait_until(self, deadline: float | None) -> None:
        if deadline is None:
            self._line.settimeout(None)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)
