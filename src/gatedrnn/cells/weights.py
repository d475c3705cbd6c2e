"""How the gates are packed, here and elsewhere: the only file that knows.

The blocks of a weight, one for each gate or candidate, are stacked in an order that every
framework chooses for itself, and stored in its own shape.  Gates go by this course's names: GRU r,
z, n and LSTM i, f, g, o, where Keras writes c for g, and ONNX h for n and c for g.

========================  =======================================================================
``pytorch``               W_ih (G*H, D), W_hh (G*H, H), b_ih and b_hh (G*H,); r z n; i f g o
``pytorch_reset_before``  the same for ``GRU(..., reset_after=False)``, which torch.nn has not
``keras``                 kernel (D, G*H), recurrent_kernel (H, G*H); z r n; i f g o;
                          bias (G*H,), and for the GRU (``reset_after=True``) two rows (2, 3*H)
``keras_reset_before``    the same for ``reset_after=False``, with one row of biases (3*H,)
``onnx``                  W (1, G*H, D), R (1, G*H, H), B (1, 2*G*H); z r n; i o f g;
                          for the GRU with ``linear_before_reset=1``
``onnx_reset_before``     the same with ``linear_before_reset=0``
``cho2014``               W_r, W_z, W (H, D), U_r, U_z, U (H, H), b_r, b_z, b (H,): Cho et al. 2014,
                          arXiv 1406.1078, version 3; z keeps the old state; reset before
``chung2014``             the same letters: Chung et al. 2014, arXiv 1412.3555, where z takes the
                          new state, so that its weights have the other sign; reset before
========================  =======================================================================

The biases of the papers' formats are an addition: neither paper writes any.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

Array = Any  # numpy.ndarray or torch.Tensor; every function returns the kind it was given
Params = dict[str, Array]

GATES = {"rnn": ("h",), "gru": ("r", "z", "n"), "lstm": ("i", "f", "g", "o")}
_KERAS = GATES | {"gru": ("z", "r", "n")}
_ONNX = GATES | {"gru": ("z", "r", "n"), "lstm": ("i", "o", "f", "g")}


class Format(NamedTuple):
    """One way to store a cell: its family, and which GRU it means."""

    family: str
    reset: str  # "after" or "before" the recurrent product; only the GRU has a reset gate


FORMATS = {
    "pytorch": Format("pytorch", "after"),
    "pytorch_reset_before": Format("pytorch", "before"),
    "keras": Format("keras", "after"),
    "keras_reset_before": Format("keras", "before"),
    "onnx": Format("onnx", "after"),
    "onnx_reset_before": Format("onnx", "before"),
    "cho2014": Format("cho2014", "before"),
    "chung2014": Format("chung2014", "before"),
}


# -------------------------------------------------------------------------------- gates


def split_gates(
    W: Array, kind: str, order: Sequence[str] | None = None, axis: int = 0
) -> dict[str, Array]:
    """The blocks of a weight or bias by the name of their gate.

    Takes W with G*H entries along ``axis``; ``order`` names the gates as they lie, this course's
    (PyTorch's) order when left out.
    Raises ValueError when the axis cannot be split into as many blocks.
    """
    gates = _gates(kind) if order is None else tuple(order)
    rows = W.shape[axis]
    if rows % len(gates):
        raise ValueError(
            f"the {kind.upper()} has {len(gates)} blocks ({', '.join(gates)}), but axis {axis} of "
            f"the shape {tuple(W.shape)} has {rows} entries, which {len(gates)} does not divide."
        )
    if isinstance(W, torch.Tensor):
        blocks: Sequence[Array] = W.chunk(len(gates), dim=axis)
    else:
        blocks = np.split(W, len(gates), axis=axis)
    return dict(zip(gates, blocks, strict=True))


def pack_gates(
    blocks: Mapping[str, Array], kind: str, order: Sequence[str] | None = None, axis: int = 0
) -> Array:
    """The reverse of ``split_gates``: blocks by name, stacked along ``axis`` in ``order``.

    Raises ValueError when a block is missing or has a name that the kind does not know.
    """
    gates = _gates(kind) if order is None else tuple(order)
    if set(blocks) != set(gates):
        raise ValueError(
            f"the {kind.upper()} has the blocks {list(gates)}, but got {list(blocks)}."
        )
    return _concatenate([blocks[gate] for gate in gates], axis)


def merge_biases(params: Mapping[str, Array], reset_after: bool = True) -> Params:
    """Fold b_hh into b_ih wherever the two are only ever added, leaving zeros behind.

    Takes and returns the ``pytorch`` format; the cell computes the same as before.
    The bias b_hn of a GRU with the reset after the product stays: r multiplies it, not b_in.
    Without a b_hh there is nothing to fold.
    """
    kind = kind_of(params["W_hh"])
    merged = dict(params)
    if "b_hh" not in params:
        return merged
    b_hh = params["b_hh"]
    kept = _zeros_like(b_hh)
    if kind == "gru" and reset_after:
        blocks = split_gates(b_hh, kind)
        zeros = _zeros_like(blocks["n"])
        kept = pack_gates({"r": zeros, "z": zeros, "n": blocks["n"]}, kind)
    folded = b_hh - kept
    merged["b_ih"] = params["b_ih"] + folded if "b_ih" in params else folded
    merged["b_hh"] = kept
    return merged


def negate_update_gate(params: Mapping[str, Array]) -> Params:
    """The same GRU in the other convention of z: sigmoid(-a) = 1 - sigmoid(a).

    Takes and returns the ``pytorch`` format; turns h' = (1 - z) n + z h into h' = z n + (1 - z) h
    and back, whether the reset comes before or after the product.
    Raises ValueError for a cell that is no GRU.
    """
    kind = kind_of(params["W_hh"])
    if kind != "gru":
        raise ValueError(
            f"only a GRU has an update gate, but these are weights of an {kind.upper()}."
        )

    def negate(W: Array) -> Array:
        blocks = split_gates(W, kind)
        return pack_gates(blocks | {"z": -blocks["z"]}, kind)

    return {name: negate(W) for name, W in params.items()}


def kind_of(W_hh: Array) -> str:
    """ "rnn", "gru" or "lstm", from the shape (G*H, H) of the recurrent weight.

    Raises ValueError for another shape.
    """
    if len(W_hh.shape) == 2:
        for kind, gates in GATES.items():
            if W_hh.shape[0] == len(gates) * W_hh.shape[1]:
                return kind
    raise ValueError(
        "W_hh must have shape (H, H) for an RNN, (3*H, H) for a GRU or (4*H, H) for an LSTM, "
        f"but it has {tuple(W_hh.shape)}."
    )


# -------------------------------------------------------------------------------- formats


def convert(params: Mapping[str, Array], source: str, target: str) -> Params:
    """The parameters of one cell in another format; the cell computes the same as before.

    Takes a mapping in the format ``source`` and returns one in the format ``target``, arrays for
    arrays and tensors for tensors; the formats are those of the table at the top of this file.
    Where a format has one bias for two, the two are added; where it has two for one, the second
    is zero.
    Raises ValueError for an unknown format, for missing or ill-shaped parameters, for a format
    that does not have this kind of cell, and for a GRU whose reset gate comes before the product in
    one format and after it in the other.
    """
    for name in (source, target):
        if name not in FORMATS:
            raise ValueError(f"the format must be one of {', '.join(FORMATS)}, but got {name!r}.")
    read, write = FORMATS[source], FORMATS[target]
    canonical = _READERS[read.family](params, read)
    kind = _check_canonical(canonical)
    if kind == "gru" and read.reset != write.reset:
        raise ValueError(
            f"{source!r} applies the reset gate {read.reset} the recurrent product and {target!r} "
            f"{write.reset} it: W_hn (r * h) and r * (W_hn h) are different functions of h, so no "
            "weights make one compute the other; train the other form instead."
        )
    if kind != "gru" and "before" in (read.reset, write.reset):
        name = source if read.reset == "before" else target
        raise ValueError(
            f"{name!r} is a format for the GRU, but these are weights of an {kind.upper()}."
        )
    return _WRITERS[write.family](canonical, write)


def from_state_dict(
    state: Mapping[str, Array], layer: int | None = None, reverse: bool = False
) -> Params:
    """One layer and direction of a module's ``state_dict()``, in the ``pytorch`` format.

    ``layer`` is None for a single cell (``GRUCell``), whose names hold no layer.
    Raises ValueError when the state dictionary has no such layer.
    """
    names = _module_names(layer, reverse)
    params = {ours: state[theirs] for ours, theirs in names.items() if theirs in state}
    if not {"W_ih", "W_hh"} <= set(params):
        raise ValueError(
            f"expected {names['W_ih']!r} and {names['W_hh']!r} among the keys, got {list(state)}."
        )
    return params


def to_state_dict(
    params: Mapping[str, Array], layer: int | None = None, reverse: bool = False
) -> dict[str, torch.Tensor]:
    """The reverse of ``from_state_dict``: tensors under the names that a module gives them.

    For a module of several layers or directions, join the dictionaries of all of them.
    """
    names = _module_names(layer, reverse)
    return {names[name]: torch.as_tensor(value) for name, value in params.items()}


def _module_names(layer: int | None, reverse: bool) -> dict[str, str]:
    suffix = ("" if layer is None else f"_l{layer}") + ("_reverse" if reverse else "")
    names = {"W_ih": "weight_ih", "W_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}
    return {ours: theirs + suffix for ours, theirs in names.items()}


# ------------------------------------------------- readers and writers, to and from "pytorch"


def _read_pytorch(params: Mapping[str, Array], _: Format) -> Params:
    _require(params, ("W_ih", "W_hh"), ("b_ih", "b_hh"))
    return dict(params)


def _write_pytorch(params: Params, _: Format) -> Params:
    return _with_both_biases(params)


def _read_keras(params: Mapping[str, Array], format: Format) -> Params:
    _require(params, ("kernel", "recurrent_kernel"), ("bias",))
    kind = kind_of(params["recurrent_kernel"].T)

    def reorder(W: Array) -> Array:
        return pack_gates(split_gates(W, kind, _KERAS[kind]), kind)

    read = {
        "W_ih": reorder(params["kernel"].T),
        "W_hh": reorder(params["recurrent_kernel"].T),
    }
    if "bias" in params:
        bias = params["bias"]
        rows = params["recurrent_kernel"].shape[1]
        two_rows = kind == "gru" and format.reset == "after"
        expected = (2, rows) if two_rows else (rows,)
        if tuple(bias.shape) != expected:
            raise ValueError(
                f"the bias of a Keras {kind.upper()}, reset {format.reset} the product, must have "
                f"shape {expected}, but it has {tuple(bias.shape)}."
            )
        read["b_ih"] = reorder(bias[0] if two_rows else bias)
        read["b_hh"] = reorder(bias[1]) if two_rows else _zeros_like(read["b_ih"])
    return read


def _write_keras(params: Params, format: Format) -> Params:
    kind = kind_of(params["W_hh"])

    def reorder(W: Array) -> Array:
        return pack_gates(split_gates(W, kind), kind, _KERAS[kind])

    written = {
        "kernel": reorder(params["W_ih"]).T,
        "recurrent_kernel": reorder(params["W_hh"]).T,
    }
    params = _with_both_biases(params)
    if "b_ih" in params:
        b_ih, b_hh = reorder(params["b_ih"]), reorder(params["b_hh"])
        two_rows = kind == "gru" and format.reset == "after"
        written["bias"] = _concatenate([b_ih[None], b_hh[None]], 0) if two_rows else b_ih + b_hh
    return written


def _read_onnx(params: Mapping[str, Array], _: Format) -> Params:
    _require(params, ("W", "R"), ("B",))
    for name, value in params.items():
        if value.shape[0] != 1:
            raise ValueError(
                f"{name} must have one direction, shape (1, ...), but it has {tuple(value.shape)}: "
                "convert each direction by itself."
            )
    kind = kind_of(params["R"][0])

    def reorder(W: Array) -> Array:
        return pack_gates(split_gates(W, kind, _ONNX[kind]), kind)

    read = {"W_ih": reorder(params["W"][0]), "W_hh": reorder(params["R"][0])}
    if "B" in params:
        rows = params["R"].shape[1]
        if tuple(params["B"].shape) != (1, 2 * rows):
            raise ValueError(
                f"B must have shape (1, {2 * rows}), but it has {tuple(params['B'].shape)}."
            )
        read["b_ih"], read["b_hh"] = (
            reorder(params["B"][0, :rows]),
            reorder(params["B"][0, rows:]),
        )
    return read


def _write_onnx(params: Params, _: Format) -> Params:
    kind = kind_of(params["W_hh"])

    def reorder(W: Array) -> Array:
        return pack_gates(split_gates(W, kind), kind, _ONNX[kind])[None]

    written = {"W": reorder(params["W_ih"]), "R": reorder(params["W_hh"])}
    params = _with_both_biases(params)
    if "b_ih" in params:
        written["B"] = _concatenate([reorder(params["b_ih"]), reorder(params["b_hh"])], 1)
    return written


_PAPER_SUFFIXES = {"r": "_r", "z": "_z", "n": ""}  # the papers write the candidate's as W and U


def _read_cho2014(params: Mapping[str, Array], _: Format) -> Params:
    letters = {"W_ih": "W", "W_hh": "U", "b_ih": "b"}
    suffixes = _PAPER_SUFFIXES.values()
    _require(
        params,
        [letter + suffix for letter in "WU" for suffix in suffixes],
        ["b" + suffix for suffix in suffixes],
    )
    read = {
        ours: pack_gates({g: params[letter + s] for g, s in _PAPER_SUFFIXES.items()}, "gru")
        for ours, letter in letters.items()
        if letter in params
    }
    return _with_both_biases(read)


def _write_cho2014(params: Params, _: Format) -> Params:
    if (kind := kind_of(params["W_hh"])) != "gru":
        raise ValueError(
            f"the papers' formats are for the GRU, but these are weights of an {kind.upper()}."
        )
    stacked = {"W": params["W_ih"], "U": params["W_hh"]}
    params = _with_both_biases(params)
    if "b_ih" in params:
        stacked["b"] = params["b_ih"] + params["b_hh"]
    return {
        letter + _PAPER_SUFFIXES[gate]: block
        for letter, W in stacked.items()
        for gate, block in split_gates(W, "gru").items()
    }


def _read_chung2014(params: Mapping[str, Array], format: Format) -> Params:
    return negate_update_gate(_read_cho2014(params, format))


def _write_chung2014(params: Params, format: Format) -> Params:
    return _write_cho2014(negate_update_gate(params), format)


_READERS = {
    "pytorch": _read_pytorch,
    "keras": _read_keras,
    "onnx": _read_onnx,
    "cho2014": _read_cho2014,
    "chung2014": _read_chung2014,
}
_WRITERS = {
    "pytorch": _write_pytorch,
    "keras": _write_keras,
    "onnx": _write_onnx,
    "cho2014": _write_cho2014,
    "chung2014": _write_chung2014,
}


# -------------------------------------------------------------------------------- helpers


def _gates(kind: str) -> tuple[str, ...]:
    if kind not in GATES:
        raise ValueError(f"the kind must be one of {', '.join(GATES)}, but got {kind!r}.")
    return GATES[kind]


def _require(params: Mapping[str, Array], needed: Sequence[str], optional: Sequence[str]) -> None:
    keys = set(params)
    some_biases = bool(keys & set(optional))
    # The papers' three biases come together; of PyTorch's two, one may stand alone.
    all_or_none = len(optional) > 2 and some_biases
    if not set(needed) <= keys <= {*needed, *optional} or (
        all_or_none and not set(optional) <= keys
    ):
        raise ValueError(
            f"expected the keys {list(needed)} and, with biases, {list(optional)}, "
            f"but got {list(params)}."
        )


def _check_canonical(params: Params) -> str:
    """The kind of cell, when all shapes agree with each other."""
    kind = kind_of(params["W_hh"])
    rows = params["W_hh"].shape[0]
    for name, value in params.items():
        if value.shape[0] != rows or len(value.shape) != (1 if name.startswith("b") else 2):
            raise ValueError(
                f"the {kind.upper()} has {rows} = {len(GATES[kind])}*H rows in every parameter, "
                f"but in PyTorch's order of axes {name} has shape {tuple(value.shape)}."
            )
    return kind


def _with_both_biases(params: Params) -> Params:
    """Both biases or none: a missing one becomes zeros beside the other."""
    present = [name for name in ("b_ih", "b_hh") if name in params]
    if not present:
        return dict(params)
    zeros = _zeros_like(params[present[0]])
    return {"b_ih": zeros, "b_hh": zeros} | params


def _zeros_like(W: Array) -> Array:
    return torch.zeros_like(W) if isinstance(W, torch.Tensor) else np.zeros_like(W)


def _concatenate(arrays: Sequence[Array], axis: int) -> Array:
    if isinstance(arrays[0], torch.Tensor):
        return torch.cat(tuple(arrays), dim=axis)
    return np.concatenate(arrays, axis=axis)
