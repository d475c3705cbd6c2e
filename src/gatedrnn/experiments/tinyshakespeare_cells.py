"""RNN, GRU and LSTM character language models at equal parameters on tinyshakespeare.

The comparison is fair in these senses: each model has the same number of parameters within 1 %
(embedding and readout included), sees the same characters in the same order, and has its learning
rate chosen on the validation part from the same grid with a seed that is not used again. Then
each is trained with every seed and tested once. A seed decides the initial weights, and
nothing else. The layers are PyTorch's.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from gatedrnn.analysis.statistics import paired_difference, t_interval
from gatedrnn.data import CharVocabulary, StreamChunks, TextSplit, batchify, load_text, split_text
from gatedrnn.experiments.matching import hidden_size_for, parameter_count
from gatedrnn.experiments.options import Options
from gatedrnn.experiments.runs import Place, Run, run_all
from gatedrnn.models.language_model import (
    CharLM,
    bits_per_character,
    nats_per_character,
    next_character_loss,
    sample,
)
from gatedrnn.models.ngram import NGram
from gatedrnn.training import NonFiniteError, TrainingSettings, fit, seed_everything

TITLE = "RNN, GRU and LSTM character language models at equal parameters, tinyshakespeare"
MAX_JOBS = 16

LAYERS: dict[str, Callable[..., nn.Module]] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}

# Sized for less than twenty minutes on two cores: six passes over the training text.
FULL: dict[str, Any] = {
    "dataset": "tinyshakespeare",
    "split": "first 90 % train, next 5 % validation, last 5 % test, by position",
    "layers": "torch.nn",
    "embedding_size": 32,
    "gru_hidden_size": 128,
    "batch_size": 32,
    "chunk_length": 64,
    "steps": 2940,
    "optimiser": "Adam",
    "schedule": "learning rate falls linearly to 0 over the run",
    "clip_norm": 1.0,
    "evaluate_every": 245,
    "validation_streams": 16,
    "learning_rates": [0.002, 0.004, 0.008, 0.016, 0.032],
    "tuning_seed": 1000,
    "ngram_orders": [1, 2, 3, 4, 5, 6],
    "sample": {"prompt": "ROMEO:", "characters": 300, "temperature": 0.8, "seed": 0},
}
QUICK = FULL | {
    "steps": 20,
    "evaluate_every": 10,
    "learning_rates": [0.004, 0.008],
    "ngram_orders": [1, 2],
}


def run(options: Options) -> dict[str, Any]:
    """Tune each cell, train it with every seed, test it once, and count the baseline."""
    options.require_seeds(2)
    settings = QUICK if options.quick else FULL
    baseline = _baseline(settings)
    hidden_sizes = _hidden_sizes(settings)
    rates = settings["learning_rates"]
    tuning = run_all(
        train_one,
        [
            _run(settings, cell, hidden_sizes[cell], rate, settings["tuning_seed"])
            for cell in LAYERS
            for rate in rates
        ],
        options,
    )
    chosen = {cell: _best_rate(cell, tuning) for cell in LAYERS}
    seeds = list(range(options.seeds))
    runs = run_all(
        train_one,
        [
            _run(settings, cell, hidden_sizes[cell], chosen[cell], seed)
            for seed in seeds
            for cell in LAYERS
        ],
        options,
    )
    cells = {cell: _summary(cell, tuning, runs) for cell in LAYERS}
    return {
        "configuration": settings,
        "seeds": seeds,
        "results": {"cells": cells, "pairs": _pairs(cells), "baseline": baseline},
    }


def table(results: dict[str, Any]) -> str:
    """Return one line for each cell, the differences and the baseline."""
    lines = [f"{'cell':6}{'H':>5}{'parameters':>12}{'rate':>8}   test bits per character, 95 % t"]
    for cell, row in results["cells"].items():
        lines.append(
            f"{cell:6}{row['hidden_size']:5}{row['parameters']:12}{row['learning_rate']:8}   "
            + _in_words(row["test_interval"])
        )
    for pair, row in results["pairs"].items():
        lines.append(f"{pair:>31}   {_in_words(row)}")
    base = results["baseline"]
    lines.append(
        f"{base['order']}-gram, Witten-Bell: {base['test_bpc']:.3f} ({base['counts']} counts)"
    )
    return "\n".join(lines)


def train_one(configuration: dict[str, Any], place: Place) -> dict[str, Any]:
    """Train one model and measure it; one whose loss is not finite has values of None."""
    settings, cell, seed = (configuration[key] for key in ("settings", "cell", "seed"))
    split, vocabulary = _text(settings["dataset"])
    seed_everything(seed)
    model = _model(cell, configuration["hidden_size"], len(vocabulary), settings)
    optimiser = torch.optim.Adam(model.parameters(), lr=configuration["learning_rate"])
    steps = settings["steps"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    streams = batchify(vocabulary.encode(split.train), settings["batch_size"])
    valid = vocabulary.encode(split.valid)
    valid_streams = batchify(valid, settings["validation_streams"])
    try:
        history = fit(
            model,
            optimiser,
            StreamChunks(streams, settings["chunk_length"]),
            next_character_loss,
            lambda m: bits_per_character(nats_per_character(m, valid_streams)),
            TrainingSettings(
                steps=steps,
                clip_norm=settings["clip_norm"],
                evaluate_every=settings["evaluate_every"],
            ),
            schedule=schedule,
            checkpoint=place.checkpoint,
            run=configuration,
            progress=place.bar,
            position=place.line,
        )
    except NonFiniteError as error:
        return {"failed": str(error), "valid_bpc": None}
    characters = settings["batch_size"] * settings["chunk_length"]
    result: dict[str, Any] = {
        "parameters": parameter_count(model),
        "valid_bpc": _bits(model, valid),
        "best_step": history.best_step,
        "curve_characters": [step * characters for step in history.evaluation_steps],
        "curve_valid_bpc": history.evaluations,
        "clipped_share": _share_above(history.gradient_norms, settings["clip_norm"]),
        "wall_seconds": round(history.wall_seconds, 2),
        "cpu_seconds": round(history.cpu_seconds, 2),
    }
    if configuration["test"]:
        result["test_bpc"] = _bits(model, vocabulary.encode(split.test))
        result["sample"] = _sample(model, vocabulary, settings["sample"])
    return result


@cache
def _text(name: str) -> tuple[TextSplit, CharVocabulary]:
    split = split_text(load_text(name))
    return split, CharVocabulary(split.train)


def _model(cell: str, hidden_size: int, characters: int, settings: dict[str, Any]) -> CharLM:
    layer = LAYERS[cell]
    return CharLM(
        characters,
        settings["embedding_size"],
        lambda inputs: layer(inputs, hidden_size, batch_first=True),
    )


def _hidden_sizes(settings: dict[str, Any]) -> dict[str, int]:
    characters = len(_text(settings["dataset"])[1])

    def build(cell: str, hidden_size: int) -> CharLM:
        return _model(cell, hidden_size, characters, settings)

    with torch.device("meta"):
        budget = parameter_count(build("GRU", settings["gru_hidden_size"]))
    return {cell: hidden_size_for(budget, partial(build, cell)) for cell in LAYERS}


def _run(settings: dict[str, Any], cell: str, hidden_size: int, rate: float, seed: int) -> Run:
    tuning = seed == settings["tuning_seed"]
    configuration = {
        "cell": cell,
        "hidden_size": hidden_size,
        "learning_rate": rate,
        "seed": seed,
        # No model is measured on the test part before its learning rate is chosen.
        "test": not tuning,
        "settings": settings,
    }
    return Run(f"{cell}-rate{rate}-seed{seed}", configuration)


def _best_rate(cell: str, tuning: list[dict[str, Any]]) -> float:
    finite = [
        (row["valid_bpc"], row["configuration"]["learning_rate"])
        for row in tuning
        if row["configuration"]["cell"] == cell and row["valid_bpc"] is not None
    ]
    if not finite:
        raise NonFiniteError(f"No learning rate of the grid gave {cell} a finite loss; lower them.")
    return min(finite)[1]


def _bits(model: nn.Module, ids: Tensor) -> float:
    """Measure a part of the text as one stream, from the zero state."""
    return bits_per_character(nats_per_character(model, ids[None, :]))


def _share_above(norms: list[float], limit: float) -> float:
    return sum(norm > limit for norm in norms) / len(norms)


def _sample(model: nn.Module, vocabulary: CharVocabulary, wanted: dict[str, Any]) -> str:
    prompt: str = wanted["prompt"]
    generator = torch.Generator().manual_seed(wanted["seed"])
    ids = sample(
        model, vocabulary.encode(prompt), wanted["characters"], generator, wanted["temperature"]
    )
    return prompt + vocabulary.decode(ids)


def _summary(cell: str, tuning: list[dict[str, Any]], runs: list[dict[str, Any]]) -> dict[str, Any]:
    mine = [row for row in runs if row["configuration"]["cell"] == cell]
    failed = [row["failed"] for row in mine if "failed" in row]
    if failed:
        raise NonFiniteError(f"{cell}: {failed[0]}")
    rates = [row for row in tuning if row["configuration"]["cell"] == cell]
    configuration = mine[0]["configuration"]
    summary: dict[str, Any] = {
        "hidden_size": configuration["hidden_size"],
        "parameters": mine[0]["parameters"],
        "learning_rate": configuration["learning_rate"],
        "tuning": {
            "learning_rate": [row["configuration"]["learning_rate"] for row in rates],
            "valid_bpc": [row["valid_bpc"] for row in rates],
        },
        "curve_characters": mine[0]["curve_characters"],
    }
    for key in (
        "valid_bpc", "test_bpc", "best_step", "clipped_share", "wall_seconds", "cpu_seconds",
        "curve_valid_bpc",
    ):  # fmt: skip
        summary[key] = [row[key] for row in mine]
    for part in ("valid", "test"):
        summary[f"{part}_interval"] = t_interval(summary[f"{part}_bpc"]).as_dict()
    summary["sample"] = mine[0]["sample"]
    return summary


def _pairs(cells: dict[str, Any]) -> dict[str, Any]:
    pairs = {}
    for first, second in (("GRU", "LSTM"), ("GRU", "RNN"), ("LSTM", "RNN")):
        a, b = cells[first]["test_bpc"], cells[second]["test_bpc"]
        differences = [x - y for x, y in zip(a, b, strict=True)]
        interval = paired_difference(a, b).as_dict()
        pairs[f"{first} - {second}"] = {"differences": differences, **interval}
    return pairs


def _baseline(settings: dict[str, Any]) -> dict[str, Any]:
    split, vocabulary = _text(settings["dataset"])
    train, valid, test = (
        vocabulary.encode(part).numpy() for part in (split.train, split.valid, split.test)
    )
    models = [NGram(train, len(vocabulary), order) for order in settings["ngram_orders"]]
    valid_bpc = [bits_per_character(model.nats_per_character(valid)) for model in models]
    best = models[valid_bpc.index(min(valid_bpc))]
    return {
        "model": "character n-gram, Witten-Bell interpolation",
        "orders": settings["ngram_orders"],
        "valid_bpc": valid_bpc,
        "order": best.order,
        "counts": best.count,
        "test_bpc": bits_per_character(best.nats_per_character(test)),
    }


def _in_words(interval: dict[str, float]) -> str:
    return f"{interval['mean']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"
