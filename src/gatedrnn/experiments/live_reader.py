"""A character model small enough for a page: its weights in eight bits, and what its units follow.

A GRU of 48 units is trained on one text. Each tensor is rounded to eight bits with one scale, and
everything after that is measured with the rounded weights, since those are what the page computes
with. A unit is given a name only by a correlation: it is chosen on the validation part and
measured on the test part.
"""

import base64
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gatedrnn.data import CharVocabulary, TextSplit, batchify, load_text, split_text
from gatedrnn.data.text import StreamChunks
from gatedrnn.equations import gru_gates
from gatedrnn.experiments.options import Options
from gatedrnn.experiments.runs import Place, Run, run_all
from gatedrnn.models.language_model import (
    CharLM,
    bits_per_character,
    nats_per_character,
    next_character_loss,
)
from gatedrnn.training import TrainingSettings, fit, seed_everything

TITLE = "A GRU of 48 units that reads characters, and what its units follow"
MAX_JOBS = 2

FULL: dict[str, Any] = {
    "dataset": "tinyshakespeare",
    "split": "first 90 % train, next 5 % validation, last 5 % test, by position",
    "layer": "torch.nn.GRU",
    "embedding_size": 16,
    "hidden_size": 48,
    "batch_size": 32,
    "chunk_length": 64,
    "steps": 5880,
    "optimiser": "Adam",
    "learning_rate": 0.01,
    "schedule": "learning rate falls linearly to 0 over the run",
    "clip_norm": 1.0,
    "evaluate_every": 490,
    "validation_streams": 16,
    "rounding": "eight bits, one scale for each tensor",
    "shown_seed": 0,
    "named_from": 0.7,
}
QUICK = FULL | {"steps": 4, "evaluate_every": 2, "hidden_size": 6, "embedding_size": 4}

Array = NDArray[np.float64]
# The package's names of the tensors, in the order in which the page reads them.
TENSORS = ("embedding", "W_ih", "W_hh", "b_ih", "b_hh", "W_out", "b_out")
VOWELS = frozenset("aeiouAEIOU")


def run(options: Options) -> dict[str, Any]:
    """Train the model with every seed, round it, and correlate its units with the text."""
    settings = QUICK if options.quick else FULL
    seeds = list(range(options.seeds))
    configurations = [{"seed": seed, "settings": settings} for seed in seeds]
    models = run_all(train_one, [Run(f"seed{c['seed']}", c) for c in configurations], options)
    shown = models[seeds.index(settings["shown_seed"])]
    rows = [
        {key: model[key] for key in ("bpc", "features", "steps", "wall_seconds")}
        for model in models
    ]
    page = {"characters": shown["characters"], "tensors": shown["tensors"], "names": shown["names"]}
    return {"configuration": settings, "seeds": seeds, "results": {"models": rows, "page": page}}


def table(results: dict[str, Any]) -> str:
    """Return the losses, and for each feature the unit that follows it best, by seed."""
    lines = []
    for seed, model in enumerate(results["models"]):
        bpc = model["bpc"]
        lines.append(
            f"seed {seed}: bits per character, test part: {bpc['test']:.4f} as trained, "
            f"{bpc['test_rounded']:.4f} in eight bits"
        )
        for feature, row in model["features"].items():
            best = "   ".join(
                f"{of} unit {row[of]['unit']:2} r = {row[of]['test']:+.2f}" for of in ("z", "h")
            )
            lines.append(f"  {feature:34} {best}   last character {row['last_character']:.2f}")
    return "\n".join(lines)


def train_one(configuration: dict[str, Any], place: Place) -> dict[str, Any]:
    """Train one model, round its weights, sort its units from fast to slow, and measure it."""
    settings = configuration["settings"]
    split, vocabulary = _text(settings["dataset"])
    seed_everything(configuration["seed"])
    model = CharLM(
        len(vocabulary),
        settings["embedding_size"],
        lambda inputs: nn.GRU(inputs, settings["hidden_size"], batch_first=True),
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["learning_rate"])
    steps = settings["steps"]
    streams = batchify(vocabulary.encode(split.train), settings["batch_size"])
    valid = batchify(vocabulary.encode(split.valid), settings["validation_streams"])
    history = fit(
        model,
        optimiser,
        StreamChunks(streams, settings["chunk_length"]),
        next_character_loss,
        lambda m: bits_per_character(nats_per_character(m, valid)),
        TrainingSettings(
            steps=steps,
            clip_norm=settings["clip_norm"],
            evaluate_every=settings["evaluate_every"],
        ),
        schedule=torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps),
        checkpoint=place.checkpoint,
        run=configuration,
        progress=place.bar,
        position=place.line,
    )
    exact = tensors_of(model)
    rounded = unpack(pack(exact))
    slow = read(split.valid, vocabulary, rounded, settings["validation_streams"])["z"].mean((0, 1))
    rounded = reorder(rounded, np.argsort(slow))
    features = followed(split, vocabulary, rounded, settings["validation_streams"])
    return {
        "bpc": {
            "valid": bpc(split.valid, vocabulary, exact),
            "test": bpc(split.test, vocabulary, exact),
            "valid_rounded": bpc(split.valid, vocabulary, rounded),
            "test_rounded": bpc(split.test, vocabulary, rounded),
        },
        "features": features,
        "names": names(features, settings["named_from"]),
        "characters": "".join(vocabulary.characters),
        "tensors": pack(rounded),
        "steps": history.best_step,
        "wall_seconds": round(history.wall_seconds, 1),
    }


@cache
def _text(name: str) -> tuple[TextSplit, CharVocabulary]:
    split = split_text(load_text(name))
    return split, CharVocabulary(split.train)


def tensors_of(model: CharLM) -> dict[str, Array]:
    """Return the model's weights by the package's names, in float64."""
    state = model.state_dict()
    found = {
        "embedding": state["embedding.weight"],
        "W_out": state["readout.weight"],
        "b_out": state["readout.bias"],
    }
    for ours, theirs in (("W", "weight"), ("b", "bias")):
        for part in ("ih", "hh"):
            found[f"{ours}_{part}"] = state[f"recurrent.{theirs}_{part}_l0"]
    return {name: found[name].double().numpy().copy() for name in TENSORS}


def pack(tensors: dict[str, Array]) -> dict[str, dict[str, Any]]:
    """Round each tensor to whole numbers from -127 to 127, as base64 with a shape and a scale."""
    packed = {}
    for name, values in tensors.items():
        scale = float(np.abs(values).max()) / 127
        whole = np.rint(values / scale).astype(np.int8)
        text = base64.b64encode(whole.tobytes()).decode("ascii")
        packed[name] = {"shape": list(values.shape), "scale": scale, "int8": text}
    return packed


def unpack(packed: dict[str, dict[str, Any]]) -> dict[str, Array]:
    """Undo `pack`: the rounded values, in float64."""
    return {
        name: tensor["scale"]
        * np.frombuffer(base64.b64decode(tensor["int8"]), dtype=np.int8)
        .astype(float)
        .reshape(tensor["shape"])
        for name, tensor in packed.items()
    }


def reorder(tensors: dict[str, Array], order: NDArray[np.intp]) -> dict[str, Array]:
    """Give the units of the GRU another order; the model computes the same."""
    H = len(order)
    rows = np.concatenate([order, H + order, 2 * H + order])
    return tensors | {
        "W_ih": tensors["W_ih"][rows],
        "W_hh": tensors["W_hh"][rows][:, order],
        "b_ih": tensors["b_ih"][rows],
        "b_hh": tensors["b_hh"][rows],
        "W_out": tensors["W_out"][:, order],
    }


def read(
    text: str, vocabulary: CharVocabulary, tensors: dict[str, Array], streams: int
) -> dict[str, Array]:
    """Read a text as B streams from the zero state: r, z and h, each (B, T, H)."""
    ids = batchify(vocabulary.encode(text), streams).numpy()
    inputs = tensors["embedding"][ids]
    h = np.zeros((streams, tensors["W_hh"].shape[1]))
    found: dict[str, list[Array]] = {"r": [], "z": [], "h": []}
    for t in range(ids.shape[1]):
        r, z, n = gru_gates(inputs[:, t], h, tensors)
        h = (1 - z) * n + z * h
        for name, value in (("r", r), ("z", z), ("h", h)):
            found[name].append(value)
    return {name: np.stack(values, axis=1) for name, values in found.items()}


def bpc(text: str, vocabulary: CharVocabulary, tensors: dict[str, Array]) -> float:
    """Return the bits per character of a text, read as 16 streams from the zero state."""
    streams = 16
    ids = batchify(vocabulary.encode(text), streams).numpy()
    logits = read(text, vocabulary, tensors, streams)["h"] @ tensors["W_out"].T + tensors["b_out"]
    logits -= logits.max(axis=-1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return bits_per_character(
        -float(np.take_along_axis(logs[:, :-1], ids[:, 1:, None], axis=-1).mean())
    )


def features_of(text: str) -> dict[str, Array]:
    """What can be said of a text up to and with each character, one number a character."""
    since_space, since_line, in_name = [], [], []
    word = line = 0
    naming, last_two = False, "\n\n"
    for character in text:
        # In this text a speaker's name follows an empty line and ends with a colon.
        naming = (naming or last_two == "\n\n") and character not in ":\n"
        word = 0 if character in " \n" else word + 1
        line = 0 if character == "\n" else line + 1
        last_two = last_two[1] + character
        since_space.append(word)
        since_line.append(line)
        in_name.append(naming)
    return {
        "letters since the word began": np.array(since_space, dtype=float),
        "characters since the line began": np.array(since_line, dtype=float),
        "inside a speaker's name": np.array(in_name, dtype=float),
        "just read a space": np.array([c == " " for c in text], dtype=float),
        "just read a line end": np.array([c == "\n" for c in text], dtype=float),
        "just read a capital": np.array([c.isupper() for c in text], dtype=float),
        "just read a vowel": np.array([c in VOWELS for c in text], dtype=float),
    }


def followed(
    split: TextSplit, vocabulary: CharVocabulary, tensors: dict[str, Array], streams: int
) -> dict[str, Any]:
    """For each feature the unit whose z, and the one whose h, follows it best, and how well.

    The unit is the one with the largest correlation, by size, on the validation part; its
    correlation is also given on the test part. `last_character` is the correlation, on the test
    part, of the best guess that knows the last character alone: up to there no memory is needed.
    """
    parts = {"valid": split.valid, "test": split.test}
    units = {part: read(text, vocabulary, tensors, streams) for part, text in parts.items()}
    values = {part: features_of(text) for part, text in parts.items()}
    result: dict[str, Any] = {}
    for feature in values["valid"]:
        row: dict[str, Any] = {
            "last_character": round(_from_last_character(split.test, values["test"][feature]), 4)
        }
        for of in ("z", "h"):
            r = {p: correlations(units[p][of], values[p][feature]) for p in parts}
            best = int(np.abs(r["valid"]).argmax())
            row[of] = {"unit": best, **{p: round(float(r[p][best]), 4) for p in parts}}
        result[feature] = row
    return result


def correlations(units: Array, feature: Array) -> Array:
    """Pearson's correlation of each unit (B, T, H) with a feature of the text in B streams (H,)."""
    B, T, H = units.shape
    flat = units.reshape(B * T, H) - units.mean((0, 1))
    wanted = feature[: B * T] - feature[: B * T].mean()
    size = np.sqrt((flat**2).sum(axis=0) * (wanted**2).sum())
    return np.divide(wanted @ flat, size, out=np.zeros(H), where=size > 0)


def _from_last_character(text: str, feature: Array) -> float:
    """Correlation of a feature with its mean after the same last character."""
    _, kind = np.unique(list(text), return_inverse=True)
    mean = np.bincount(kind, feature) / np.bincount(kind)
    return float(correlations(mean[kind][None, :, None], feature)[0])


def names(features: dict[str, Any], least: float) -> list[dict[str, Any]]:
    """The units that earn a name: a correlation on the test part of at least `least` by size."""
    return [
        {"of": of, "unit": row[of]["unit"], "feature": feature, "correlation": row[of]["test"]}
        for feature, row in features.items()
        for of in ("z", "h")
        if abs(row[of]["test"]) >= least
    ]
