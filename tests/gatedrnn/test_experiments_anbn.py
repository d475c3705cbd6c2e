"""The experiment on a^n b^n asks what it says it asks."""

import numpy as np
import pytest
import torch

from gatedrnn.experiments import anbn_generalisation as anbn
from gatedrnn.experiments.options import Options


class Always(torch.nn.Module):
    """Says for every step what a rule of (a's so far, b's so far) says."""

    def __init__(self, rule):
        super().__init__()
        self.rule = rule

    def forward(self, x):
        a, b = x[..., 0].cumsum(1), x[..., 1].cumsum(1)
        return torch.where(self.rule(a, b), 20.0, -20.0)


def test_only_a_counter_is_right_everywhere():
    strings = anbn.Strings(6)
    assert strings.right(Always(lambda a, b: a == b)).tolist() == [True] * 6
    assert strings.loss(Always(lambda a, b: a == b), torch.arange(6)).item() < 1e-6
    # Never the last: wrong at the last b of each. Always: right only where there is one b.
    assert not strings.right(Always(lambda a, b: a < 0)).any()
    assert strings.right(Always(lambda a, b: a > 0)).tolist() == [True] + [False] * 5
    # A counter that saturates at three is wrong from four on.
    capped = Always(lambda a, b: b == a.clamp(max=3))
    assert strings.right(capped).tolist() == [True] * 3 + [False] * 3


def test_the_letters_a_and_what_follows_the_end_do_not_count():
    strings = anbn.Strings(5)
    quiet = Always(lambda a, b: a == b)
    loud = Always(lambda a, b: (a == b) | (b == 0))  # says "last" at every a
    rows = torch.arange(5)
    assert strings.loss(loud, rows).item() == pytest.approx(strings.loss(quiet, rows).item())
    assert strings.right(loud).all()
    # One mistake at one b of one string costs its 20 nats, over the batch.
    once = Always(lambda a, b: (a == b) | ((a == 5) & (b == 2)))
    assert strings.loss(once, rows).item() == pytest.approx(20 / 5, rel=1e-6)


def test_memory_is_what_the_layer_carries():
    torch.manual_seed(0)
    x = anbn.Strings(4).x
    for cell in anbn.LAYERS:
        network = anbn.Network(cell, 3)
        outputs, last = network.layer(x)
        memory = network.memory(x)
        assert memory.shape == outputs.shape
        if cell == "LSTM":
            torch.testing.assert_close(memory[:, -1], last[1][0])
            assert not torch.allclose(memory, outputs)
        else:
            torch.testing.assert_close(memory, outputs)


def test_summary_counts_from_the_first_mistake():
    def run(seed, wrong):
        configuration = {"cell": "GRU", "learning_rate": 0.01, "seed": seed}
        return {"configuration": configuration, "loss": 1.0, "wrong_n": wrong, "portrait": [[seed]]}

    settings = {"train_n": 3, "test_n": 8}
    row = anbn._summary("GRU", settings, [run(9, [])], [run(0, [5, 7]), run(1, []), run(2, [1])])
    assert row["furthest"] == [4, 8, 0]
    assert [row[key]["count"] for key in ("learned", "twice", "all_tested")] == [2, 1, 1]
    assert row["seeds_right_at_n"] == [2, 3, 3, 3, 2, 3, 2, 3]
    assert row["portrait"] == [[0]]


def test_a_run_repeats_itself_and_learns(tmp_path):
    settings = anbn.QUICK | {"steps": 300, "train_n": 3, "test_n": 6}
    configuration = {"settings": settings, "cell": "GRU", "learning_rate": 0.03, "seed": 1}
    first, again = (anbn.train_one(configuration, None) for _ in range(2))
    assert first == again
    assert first["loss"] < 0.2 and not {1, 2, 3} & set(first["wrong_n"])
    assert np.shape(first["portrait"]) == (10, 10)


def test_the_record_holds_every_cell_and_seed(tmp_path):
    outcome = anbn.run(Options(tmp_path, seeds=2, quick=True, progress=False))
    cells = outcome["results"]["cells"]
    assert list(cells) == ["RNN", "GRU", "LSTM"]
    for row in cells.values():
        assert len(row["furthest"]) == 2 and set(row["tuning_losses"]) == {"0.003", "0.01", "0.03"}
        best = min(row["tuning_losses"], key=row["tuning_losses"].get)
        assert row["learning_rate"] == float(best)
    assert "GRU" in anbn.table(outcome["results"])
