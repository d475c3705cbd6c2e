"""The training loop: exact resume, early stopping, clipping, and stopping at a loss of nan."""

import math

import pytest
import torch
from torch import nn

from gatedrnn.data import StreamChunks, adding_problem
from gatedrnn.models.language_model import CharLM, nats_per_character, next_character_loss
from gatedrnn.training import (
    CheckpointError,
    GeneratedBatches,
    NonFiniteError,
    TrainingSettings,
    clip_by_global_norm,
    fit,
    seed_everything,
    select_device,
)


class Interrupt:
    """A loss function that raises KeyboardInterrupt at one call, as Ctrl-C would."""

    def __init__(self, loss, call):
        self.loss, self.call, self.calls = loss, call, 0

    def __call__(self, model, batch, carry):
        self.calls += 1
        if self.calls == self.call:
            raise KeyboardInterrupt
        return self.loss(model, batch, carry)


def lstm_with_dropout(inputs):
    # Two layers with dropout: the run draws random numbers, and its state is a tuple.
    return nn.LSTM(inputs, 7, num_layers=2, dropout=0.4, batch_first=True)


def language_run(checkpoint, loss=next_character_loss, run=None, patience=None, weight_seed=5):
    seed_everything(weight_seed)
    model = CharLM(11, 6, lstm_with_dropout)
    streams = torch.randint(0, 11, (3, 52), generator=torch.Generator().manual_seed(1))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / 40)
    history = fit(
        model,
        optimiser,
        StreamChunks(streams, 8),  # six chunks a pass: the run wraps round several times
        loss,
        lambda m: nats_per_character(m, streams[:, :20]),
        TrainingSettings(
            steps=31, clip_norm=0.5, evaluate_every=4, patience=patience, checkpoint_every=3
        ),
        schedule=schedule,
        checkpoint=checkpoint,
        run=run,
        progress=None,
    )
    return model, optimiser, history


def same(first, second):
    """Compare nested states to the last bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


@pytest.mark.parametrize("call", [2, 10, 20])
def test_interrupted_and_resumed_is_the_uninterrupted_run_to_the_last_bit(tmp_path, call):
    whole_model, whole_optimiser, whole = language_run(None)
    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        language_run(path, Interrupt(next_character_loss, call))
    # Other weights and another random state on entry: all must come from the checkpoint.
    weight_seed = 99 if call > 3 else 5
    model, optimiser, history = language_run(path, weight_seed=weight_seed)
    assert history == whole
    assert len(history.losses) == 31
    assert same(model.state_dict(), whole_model.state_dict())
    assert same(optimiser.state_dict(), whole_optimiser.state_dict())


def test_generated_batches_resume_where_they_were(tmp_path):
    def make(generator):
        return adding_problem(2, 5, generator)

    source = GeneratedBatches(make, seed=3)
    source.next_batch()
    saved = source.state_dict()
    expected = [source.next_batch() for _ in range(3)]
    other = GeneratedBatches(make, seed=4)
    other.load_state_dict(saved)
    assert same(expected, [other.next_batch() for _ in range(3)])


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.checkpoint"
    language_run(path, run={"rate": 0.02})
    with pytest.raises(CheckpointError, match=r"belongs to another run.*0\.02.*0\.03"):
        language_run(path, run={"rate": 0.03})


def test_a_damaged_checkpoint_is_named_and_not_trusted(tmp_path):
    path = tmp_path / "run.checkpoint"
    language_run(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="run.checkpoint cannot be read as a checkpoint"):
        language_run(path)


def test_a_failed_write_leaves_the_checkpoint_before_it(tmp_path, monkeypatch):
    path = tmp_path / "run.checkpoint"
    language_run(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    from gatedrnn.training import save_checkpoint

    with pytest.raises(CheckpointError, match="could not be written .No space left"):
        save_checkpoint(path, {"step": 0})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.checkpoint"]


class Scalar(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))


class Nothing:
    """A source of empty batches, for losses that need no data."""

    def next_batch(self):
        return ()

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def descend(evaluations, **settings):
    """Plain gradient descent on w, whose evaluations are scripted; w falls by 0.1 a step."""
    model = Scalar()
    values = iter(evaluations)
    history = fit(
        model,
        torch.optim.SGD(model.parameters(), lr=0.1),
        Nothing(),
        lambda m, batch, carry: (m.weight, None),
        lambda m: next(values),
        TrainingSettings(evaluate_every=1, clip_norm=None, **settings),
        progress=None,
    )
    return model.weight.item(), history


def test_early_stopping_waits_for_patience_and_restores_the_best_weights():
    weight, history = descend([5.0, 4.0, 4.5, 4.2, 4.1, 1.0], steps=6, patience=3)
    assert history.stopped_early
    assert history.evaluations == [5.0, 4.0, 4.5, 4.2, 4.1]
    assert (history.best_step, history.best_value) == (2, 4.0)
    assert weight == pytest.approx(3.0 - 2 * 0.1, abs=1e-15)


def test_without_patience_the_run_goes_on_and_still_keeps_the_best():
    weight, history = descend([5.0, 4.0, 4.5, 4.2, 4.1, 6.0], steps=6)
    assert not history.stopped_early
    assert len(history.losses) == 6
    assert weight == pytest.approx(3.0 - 2 * 0.1, abs=1e-15)


def test_clipping_keeps_the_direction_and_reports_the_norm_before():
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(n, generator=generator, dtype=torch.float64) for n in (3, 5)]
    parameters = [nn.Parameter(torch.zeros_like(t)) for t in tensors]
    for parameter, gradient in zip(parameters, tensors, strict=True):
        parameter.grad = gradient.clone()
    norm = math.sqrt(sum(float((t * t).sum()) for t in tensors))
    assert clip_by_global_norm(parameters, norm / 4) == pytest.approx(norm, rel=1e-14)
    clipped = torch.cat([p.grad for p in parameters])
    # PyTorch divides by the norm plus 1e-6.
    assert torch.allclose(clipped, torch.cat(tensors) / 4, rtol=1e-5, atol=0)
    assert float(clipped.norm()) <= norm / 4
    assert clip_by_global_norm(parameters, None) == pytest.approx(float(clipped.norm()), rel=1e-14)
    assert torch.equal(torch.cat([p.grad for p in parameters]), clipped)


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(factor):
    model = Scalar()
    calls = []

    def loss(m, batch, carry):
        calls.append(m.weight.item())
        return m.weight * (factor if len(calls) == 3 else 1.0), None

    with pytest.raises(NonFiniteError, match="Step 3 has loss .*lower learning rate"):
        fit(
            model,
            torch.optim.SGD(model.parameters(), lr=0.1),
            Nothing(),
            loss,
            lambda m: 0.0,
            TrainingSettings(steps=5, clip_norm=None),
            progress=None,
        )
    assert model.weight.item() == calls[2] == pytest.approx(2.8, abs=1e-15)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"steps": 1, "clip_norm": 0.0}, {"steps": 1, "patience": 0}]
)
def test_settings_that_make_no_sense_are_named(wrong):
    name = list(wrong)[-1]
    with pytest.raises(ValueError, match=f"{name} must be"):
        TrainingSettings(**wrong)


def test_devices_are_chosen_by_name_and_missing_ones_explained():
    assert select_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match='"cpu" or "cuda", got \'gpu\''):
        select_device("gpu")
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(ValueError, match=f"{absent}.*PyTorch sees"):
        select_device(absent)
