"""Plain data between the marking process and a student's process: JSON and raw array bytes.

A frame is one line of JSON that describes a value, then the bytes of its arrays, one after another.
Nothing in it is code, and nothing in it is an object with methods: decoding cannot run anything.
Decoding trusts no number it reads; every limit is checked before memory is taken.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np

MAX_BYTES = 64 * 2**20
MAX_ITEMS = 100_000
#: Keys of all dictionaries: those of numbers can be made to collide, and cost the square of these.
MAX_KEYS = 10_000
MAX_DEPTH = 24
MAX_DIMENSIONS = 16
MAX_TEXT = 1_000_000
#: Bytes of the JSON: far above what so many parts need, far below what parsing it could do harm.
MAX_HEAD = 8 * 2**20
#: Array element types that may cross; objects and strings may not.
DTYPES = frozenset(
    [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    ]
)
# A dtype makes its name anew each time it is asked.
_NAMES = {np.dtype(name): name for name in DTYPES}


#: Of another length on each kind of machine: they cross as the longest that all have.
_LONG = {
    np.dtype("longdouble"): np.dtype("float64"),
    np.dtype("clongdouble"): np.dtype("complex128"),
}


class Unusable(ValueError):
    """A value that cannot cross; the message says what it is, in a student's words."""


class BadFrame(ValueError):
    """Bytes that are not a frame; whoever sent them is not to be trusted any further."""


# ---------------------------------------------------------------- encoding


class _Writer:
    def __init__(self) -> None:
        self.buffers: list[bytes] = []
        self.items = 0
        self.keys = 0
        self.bytes = 0

    def node(self, value: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH:
            raise Unusable(f"a value nested more than {MAX_DEPTH} levels deep")
        if self.items > MAX_ITEMS:
            raise Unusable(f"a value with more than {MAX_ITEMS:,} parts")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return {"i": hex(value)} if abs(value) < 2**4096 else self._refuse("a huge integer")
        if kind is float:
            return {"f": value.hex()}
        if kind is complex:
            return {"c": [value.real.hex(), value.imag.hex()]}
        if kind is str:
            if len(value) > MAX_TEXT:
                raise Unusable(f"a text of more than {MAX_TEXT:,} characters")
            return {"s": _whole(value)}
        if kind in (list, tuple):
            return {kind.__name__: [self.node(item, depth + 1) for item in list(value)]}
        if isinstance(value, dict) and kind.__module__ in ("builtins", "collections"):
            pairs = list(dict.items(value))
            self.keys += len(pairs)
            if self.keys > MAX_KEYS:
                raise Unusable(f"dictionaries with more than {MAX_KEYS:,} keys")
            return {"dict": [[self.key(k, depth + 1), self.node(v, depth + 1)] for k, v in pairs]}
        if isinstance(value, str):  # one of a class of its own, as NumPy's: what it holds counts
            return self.node(str.__str__(value)[:], depth)
        if isinstance(value, tuple) and (hasattr(kind, "_fields") or _of_torch(kind)):
            return {"tuple": [self.node(item, depth + 1) for item in tuple.__iter__(value)]}
        if issubclass(kind, np.ndarray):  # as plain memory: nothing of a class of its own is asked
            return self.array(np.ndarray.view(value, np.ndarray), "array")
        if isinstance(value, np.generic) and kind.__module__ == "numpy":
            return self.array(np.asarray(value), "scalar")
        return self.tensor(value)

    def key(self, value: Any, depth: int) -> Any:
        if isinstance(value, np.generic) and type(value).__module__ == "numpy":
            value = value.item()
        if not _is_key(value):
            kind = type(value).__name__[:80]
            self._refuse(f"a dictionary with an object of type {kind!r} as a key")
        return self.node(value, depth)

    def array(self, value: np.ndarray, tag: str, dtype: str | None = None) -> dict[str, Any]:
        value = value.astype(_LONG.get(value.dtype, value.dtype), copy=False)
        name = _NAMES.get(value.dtype) or value.dtype.name
        if name not in DTYPES:
            raise Unusable(f"an array of {value.dtype}; expected numbers")
        if value.ndim > MAX_DIMENSIONS:
            raise Unusable(f"an array of {value.ndim} dimensions")
        self.bytes += value.nbytes
        if self.bytes > MAX_BYTES:
            raise Unusable(f"arrays of more than {MAX_BYTES // 2**20} MiB in all")
        # The name says nothing of the byte order, so all that crosses has this machine's.
        if not value.dtype.isnative:
            value = value.astype(value.dtype.newbyteorder("="))
        self.buffers.append(value.tobytes())
        return {tag: [dtype or name, list(value.shape)]}

    def tensor(self, value: Any) -> dict[str, Any]:
        torch: Any = sys.modules.get("torch")  # a tensor can exist only where torch is loaded
        if torch is None or type(value) not in (torch.Tensor, torch.nn.Parameter):
            self._refuse(f"an object of type {type(value).__name__[:80]!r}")
        if value.layout is not torch.strided or value.is_quantized or value.is_nested:
            raise Unusable("a sparse, nested or quantised tensor; expected a dense one")
        if value.numel() * value.element_size() > MAX_BYTES:
            raise Unusable(f"a tensor of more than {MAX_BYTES // 2**20} MiB")
        try:
            plain = value.detach().cpu()
            if plain.dtype is torch.bfloat16:
                bits = plain.contiguous().view(torch.int16).numpy()
                return self.array(bits, "tensor", "bfloat16")
            return self.array(plain.resolve_conj().resolve_neg().numpy(), "tensor")
        except (RuntimeError, TypeError):  # it has no values, or none that NumPy knows
            raise Unusable(
                f"a tensor of {value.dtype} on the device {value.device}; expected one of numbers"
            ) from None

    @staticmethod
    def _refuse(what: str) -> Any:
        raise Unusable(
            f"{what}; expected numbers, text, arrays, tensors, or lists, tuples and dictionaries"
        )


def _whole(text: str) -> str:
    """A text with no lone surrogates, which no file could hold."""
    return text.encode("utf-8", "backslashreplace").decode()


def _of_torch(kind: type) -> bool:
    """The tuples that torch gives: a shape, or several results with names."""
    return kind.__module__ in ("torch", "torch.return_types")


def _is_key(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_is_key(part) for part in tuple.__iter__(value))
    return value is None or isinstance(value, str | int | float)


def dumps(value: Any) -> bytes:
    """Encode `value`; raises `Unusable` for what is not plain data."""
    writer = _Writer()
    head = json.dumps(writer.node(value, 0), separators=(",", ":")).encode()
    if len(head) > MAX_HEAD:
        raise Unusable(f"a value whose parts and texts take more than {MAX_HEAD // 2**20} MiB")
    return b"\n".join([head, b"".join(writer.buffers)])


# ---------------------------------------------------------------- decoding


class _Reader:
    def __init__(self, body: memoryview) -> None:
        self.body = body
        self.at = 0
        self.items = 0
        self.keys = 0

    def value(self, node: Any, depth: int) -> Any:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise BadFrame("the frame is nested too deeply or has too many parts")
        if node is None or type(node) is bool:
            return node
        if type(node) is not dict or len(node) != 1:
            raise BadFrame("a part of the frame is not of any known kind")
        ((tag, payload),) = node.items()
        handler = getattr(self, f"_{tag}", None) if tag in _TAGS else None
        if handler is None:
            raise BadFrame(f"unknown tag {tag[:20]!r}")
        return handler(payload, depth)

    def _i(self, text: Any, _: int) -> int:
        if type(text) is not str or len(text) > 1100:
            raise BadFrame("an integer is not written as one")
        return int(text, 16)

    def _f(self, text: Any, _: int) -> float:
        if type(text) is not str or len(text) > 64:
            raise BadFrame("a number is not written as one")
        return float.fromhex(text)

    def _c(self, parts: Any, depth: int) -> complex:
        real, imag = self._pair(parts)
        return complex(self._f(real, depth), self._f(imag, depth))

    def _s(self, text: Any, _: int) -> str:
        if type(text) is not str or len(text) > 10 * MAX_TEXT:
            raise BadFrame("a text is not a text")
        return _whole(text)

    def _list(self, parts: Any, depth: int) -> list[Any]:
        if type(parts) is not list:
            raise BadFrame("a list is not a list")
        return [self.value(part, depth + 1) for part in parts]

    def _tuple(self, parts: Any, depth: int) -> tuple[Any, ...]:
        return tuple(self._list(parts, depth))

    def _dict(self, pairs: Any, depth: int) -> dict[Any, Any]:
        if type(pairs) is not list:
            raise BadFrame("a dictionary is not a list of pairs")
        self.keys += len(pairs)
        if self.keys > MAX_KEYS:
            raise BadFrame("the frame has dictionaries with too many keys")
        out = {}
        for pair in pairs:
            key, item = self._pair(pair)
            key = self.value(key, depth + 1)
            if not _is_key(key):
                raise BadFrame("a dictionary key is not plain")
            out[key] = self.value(item, depth + 1)
        return out

    def _array(self, spec: Any, _: int) -> np.ndarray:
        return self._take(spec, DTYPES)

    def _scalar(self, spec: Any, _: int) -> Any:
        return self._take(spec, DTYPES)[()]

    def _tensor(self, spec: Any, _: int) -> Any:
        import torch  # only a frame that holds a tensor pays for torch

        if type(spec) is list and spec[:1] == ["bfloat16"]:
            return torch.from_numpy(self._take(["int16", *spec[1:]], DTYPES)).view(torch.bfloat16)
        return torch.from_numpy(self._take(spec, DTYPES))

    @staticmethod
    def _pair(parts: Any) -> tuple[Any, Any]:
        if type(parts) is not list or len(parts) != 2:
            raise BadFrame("a pair is not a pair")
        return parts[0], parts[1]

    def _take(self, spec: Any, allowed: frozenset[str]) -> np.ndarray:
        dtype, shape = self._pair(spec)
        good = type(shape) is list and len(shape) <= MAX_DIMENSIONS
        if not good or dtype not in allowed or any(type(n) is not int or n < 0 for n in shape):
            raise BadFrame("an array has no proper type or shape")
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size > len(self.body) - self.at:
            raise BadFrame("an array claims more bytes than were sent")
        chunk = self.body[self.at : self.at + size]
        self.at += size
        return np.frombuffer(chunk, dtype=dtype).reshape(shape).copy()


_TAGS = frozenset(["i", "f", "c", "s", "list", "tuple", "dict", "array", "scalar", "tensor"])


def loads(frame: bytes) -> Any:
    """Decode one frame; raises `BadFrame` for anything that `dumps` would not have written."""
    if len(frame) > 2 * MAX_BYTES:
        raise BadFrame("the frame is too large")
    end = frame.find(b"\n", 0, MAX_HEAD + 1)
    if end < 0:
        raise BadFrame("the frame has no end of its JSON, or too far away")
    try:
        reader = _Reader(memoryview(frame)[end + 1 :])
        value = reader.value(json.loads(frame[:end]), 0)
    except BadFrame:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadFrame(f"the frame cannot be read: {type(error).__name__}") from None
    if reader.at != len(reader.body):
        raise BadFrame("the frame has bytes that belong to nothing")
    return value


def weight(value: Any) -> int:
    """About how many bytes of memory a decoded value takes."""
    if isinstance(value, list | tuple):
        return 100 + sum(map(weight, value))
    if isinstance(value, dict):
        return 200 + sum(weight(key) + weight(item) for key, item in value.items())
    if isinstance(value, str):
        return 100 + 4 * len(value)
    return 100 + int(getattr(value, "nbytes", 0))


def clone(value: Any) -> Any:
    """An independent copy of plain data, exactly as the other side of the boundary would see it."""
    return loads(dumps(value))
