"""Synthetic tasks: what they ask, their seeds, and the losses that their docstrings promise."""

import math

import pytest
import torch

from gatedrnn.data import adding_problem, copy_memory


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("length", [2, 3, 50])
def test_adding_marks_one_step_in_each_half_and_sums_their_numbers(length):
    inputs, targets = adding_problem(64, length, seeded())
    assert inputs.shape == (64, length, 2) and targets.shape == (64, 1)
    for row, target in zip(inputs, targets, strict=True):
        marked = [t for t in range(length) if row[t, 1] == 1]
        assert len(marked) == 2 and marked[0] < length // 2 <= marked[1]
        assert sum(float(row[t, 0]) for t in marked) == pytest.approx(float(target), abs=1e-6)
        assert float(row[:, 1].sum()) == 2


def test_adding_baseline_is_a_sixth():
    _, targets = adding_problem(40_000, 4, seeded())
    errors = (targets - 1) ** 2
    # Five standard errors of the mean over the sample.
    assert abs(float(errors.mean()) - 1 / 6) < 5 * float(errors.std()) / math.sqrt(40_000)


def test_every_step_of_a_half_can_be_marked():
    inputs, _ = adding_problem(2000, 7, seeded())
    assert bool((inputs[:, :, 1].sum(dim=0) > 0).all())


def test_copy_asks_for_the_symbols_after_the_cue():
    inputs, targets = copy_memory(5, 6, seeded(), symbols=4, length=3)
    assert inputs.shape == targets.shape == (5, 12)
    for x, y in zip(inputs.tolist(), targets.tolist(), strict=True):
        assert all(1 <= symbol <= 4 for symbol in x[:3])
        assert x[3:] == [0] * 5 + [5] + [0] * 3
        assert y == [0] * 9 + x[:3]


def test_copy_baseline_is_the_entropy_of_the_symbols():
    _, targets = copy_memory(20_000, 5, seeded(), symbols=8, length=10)
    # The best answer without memory: sure of the blanks, the observed shares for the symbols.
    losses = torch.zeros(targets.shape[1])
    for step in range(targets.shape[1]):
        shares = torch.bincount(targets[:, step], minlength=10) / len(targets)
        losses[step] = -(shares[shares > 0] * shares[shares > 0].log()).sum()
    assert float(losses.mean()) == pytest.approx(10 * math.log(8) / 25, rel=1e-3)
    assert 10 * math.log(8) / 120 == pytest.approx(0.1733, abs=5e-5)


@pytest.mark.parametrize(
    "draw", [lambda g: adding_problem(3, 9, g), lambda g: copy_memory(3, 4, g)]
)
def test_the_generator_decides_all(draw):
    torch.manual_seed(1)
    first, again, other = draw(seeded(7)), draw(seeded(7)), draw(seeded(8))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_sizes_that_cannot_be_are_named():
    with pytest.raises(ValueError, match="length=1"):
        adding_problem(2, 1, seeded())
    with pytest.raises(ValueError, match="delay=0"):
        copy_memory(2, 0, seeded())
