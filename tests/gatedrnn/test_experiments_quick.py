"""The quick experiments measure what they say."""

import numpy as np
import pytest
import torch
from torch import nn

from gatedrnn.experiments import cpu_time, gradient_lag, gradient_lag_trained, gradient_routes
from gatedrnn.experiments.options import ExperimentError, Options

SMALL = gradient_lag.FULL | {"input_size": 3, "hidden_size": 5, "steps": 7, "lags_in_table": [2, 7]}


def by_autograd(name, seed):
    """The same norms from torch's own cells and automatic differentiation."""
    variant = gradient_lag.VARIANTS[name]
    torch.manual_seed(seed)
    params = gradient_lag._torch_params(variant.cell, 3, 5)
    variant.change(params, 5)
    x = torch.randn(1, 7, 3, dtype=torch.float64)
    layer = {"rnn": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}[variant.cell]
    cell = layer(3, 5, dtype=torch.float64)
    cell.load_state_dict(
        {
            key.replace("W", "weight").replace("b_", "bias_"): torch.from_numpy(value)
            for key, value in params.items()
        }
    )
    step = (lambda x, s: cell(x, s)) if variant.cell == "lstm" else (lambda x, s: (cell(x, s[0]),))
    names = "hc" if variant.cell == "lstm" else "h"
    states = [tuple(torch.zeros(1, 5, dtype=torch.float64) for _ in names)]
    for t in range(7):
        states.append(step(x[:, t], states[-1]))
    norms = {name: [] for name in names}
    for lag in range(8):
        # h and c are two independent arguments: c must not reach h_T through its own h.
        leaves = tuple(part.detach().requires_grad_() for part in states[7 - lag])
        last = leaves
        for t in range(7 - lag, 7):
            last = step(x[:, t], last)
        for leaf, name in zip(leaves, names, strict=True):
            rows = [
                torch.autograd.grad(unit, leaf, retain_graph=True, materialize_grads=True)[0][0]
                for unit in last[0][0]
            ]
            norms[name].append(float(torch.linalg.svdvals(torch.stack(rows))[0]))
    return norms


@pytest.mark.parametrize("name", gradient_lag.VARIANTS)
def test_lag_norms_agree_with_automatic_differentiation(name):
    measured = gradient_lag.lag_norms(gradient_lag.VARIANTS[name], 3, SMALL)
    expected = by_autograd(name, 3)
    assert measured.keys() == expected.keys()
    for state, values in expected.items():
        np.testing.assert_allclose(measured[state], values, rtol=1e-10, err_msg=state)


def test_a_bias_is_counted_once_and_only_in_its_gate():
    torch.manual_seed(0)
    params = gradient_lag._torch_params("gru", 3, 5)
    before = {name: value.copy() for name, value in params.items()}
    gradient_lag.VARIANTS["GRU, bias of z +2"].change(params, 5)
    total = params["b_ih"] + params["b_hh"]
    np.testing.assert_array_equal(total[5:10], 2.0)
    for name in ("b_ih", "b_hh"):
        np.testing.assert_array_equal(params[name][:5], before[name][:5])
        np.testing.assert_array_equal(params[name][10:], before[name][10:])


def test_the_orthogonal_variant_is_orthogonal():
    torch.manual_seed(0)
    params = gradient_lag._torch_params("rnn", 3, 5)
    gradient_lag.VARIANTS["RNN, orthogonal W_hh"].change(params, 5)
    np.testing.assert_allclose(params["W_hh"] @ params["W_hh"].T, np.eye(5), atol=1e-14)


def test_the_lag_record_holds_every_variant_and_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(gradient_lag, "QUICK", SMALL)
    outcome = gradient_lag.run(Options(tmp_path, seeds=3, quick=True, progress=False))
    variants = outcome["results"]["variants"]
    assert set(variants) == set(gradient_lag.VARIANTS)
    norms = variants["LSTM"]["c"]["norms"]
    assert np.shape(norms) == (3, 8) and norms[0] != norms[1]
    at = variants["LSTM"]["c"]["at_lag"]["7"]
    expected = np.exp(np.mean(np.log([row[7] for row in norms])))
    assert at["geometric_mean"] == pytest.approx(expected, rel=1e-4)
    assert at["low"] < expected < at["high"]
    assert "GRU, bias of z +4 (h)" in gradient_lag.table(outcome["results"])
    with pytest.raises(ExperimentError, match="at least 2 of them, got 1"):
        gradient_lag.run(Options(tmp_path, seeds=1, quick=True))


def test_both_questions_read_the_same_inputs():
    settings = gradient_lag_trained.FULL | {"length": 9}
    drawn = [
        gradient_lag_trained.draw(task, 50, settings, torch.Generator().manual_seed(4))
        for task in gradient_lag_trained.TASKS
    ]
    (x, short), (same, long) = drawn
    assert torch.equal(x, same)
    np.testing.assert_allclose(short[:, 0], x[:, 7, 0] + x[:, 8, 0], rtol=1e-6)
    np.testing.assert_allclose(long[:, 0], (x[..., 0] * x[..., 1]).sum(dim=1), rtol=1e-6)


@pytest.mark.parametrize("cell", gradient_lag_trained.CELLS)
def test_trained_lag_norms_agree_with_automatic_differentiation(cell):
    torch.manual_seed(5)
    model = gradient_lag_trained.LastStateRegressor(cell, 4)
    x = torch.rand(2, 6, 2)
    measured = gradient_lag_trained.lag_norms(model, cell, x)
    layer = model.layer.double()
    logs = np.zeros(7)
    for sequence in x.double():
        for lag in range(7):
            _, start = layer(sequence[None, : 6 - lag]) if lag < 6 else (None, None)
            if start is None:
                zero = torch.zeros(1, 1, 4, dtype=torch.float64)
                start = (zero, zero) if cell == "LSTM" else zero

            def last(h, start=start, lag=lag, sequence=sequence):
                if lag == 0:
                    return h
                state = (h, start[1]) if cell == "LSTM" else h
                return layer(sequence[None, 6 - lag :], state)[0][0, -1]

            h = start[0] if cell == "LSTM" else start
            jacobian = torch.autograd.functional.jacobian(last, h).reshape(4, 4)
            logs[lag] += float(torch.linalg.svdvals(jacobian)[0].log()) / 2
    np.testing.assert_allclose(measured["h"], np.exp(logs), rtol=1e-5)


def test_the_trained_record_holds_every_cell_and_task(tmp_path):
    outcome = gradient_lag_trained.run(Options(tmp_path, seeds=2, quick=True, progress=False))
    tasks = outcome["results"]["tasks"]
    assert {task: set(cells) for task, cells in tasks.items()} == {
        task: set(gradient_lag_trained.CELLS) for task in gradient_lag_trained.TASKS
    }
    before, after = (tasks["long"]["LSTM"][when]["c"]["norms"] for when in ("before", "after"))
    assert np.shape(before) == np.shape(after) == (2, 9) and before != after
    # Untrained networks of one seed are the same, whatever they will be asked.
    assert before == tasks["short"]["LSTM"]["before"]["c"]["norms"]
    assert tasks["long"]["GRU"]["solved"] == 0
    assert "long  LSTM after   (c)" in gradient_lag_trained.table(outcome["results"])


def test_time_is_compared_within_rounds_and_onednn_is_put_back(tmp_path):
    outcome = cpu_time.run(Options(tmp_path, quick=True, progress=False))
    assert torch.backends.mkldnn.enabled
    cases = outcome["results"]["cases"]
    assert [case["onednn"] for case in cases] == [True, False]
    for case in cases:
        rows = {(row["cell"], row["matched"]): row for row in case["variants"]}
        gru = rows["GRU", "reference"]
        assert gru["training"]["ratio"] == 1.0
        assert rows["LSTM", "equal hidden size"]["hidden_size"] == gru["hidden_size"]
        matched = rows["LSTM", "equal parameters"]
        assert matched["hidden_size"] < gru["hidden_size"]
    assert "without oneDNN" in cpu_time.table(outcome["results"])


def test_ratios_are_taken_round_by_round():
    # Each list has median 3, so a ratio of medians would be 1 and hide what every round shows.
    summary = cpu_time._summary([1.0, 3.0, 6.0], [3.0, 6.0, 2.0])
    assert summary["ratio"] == 0.5
    assert summary["median_ms"] == 3000.0
    assert summary["ratio_low"] == pytest.approx((1 / 3 + 0.5) / 2, abs=5e-5)
    assert summary["ratio_high"] == pytest.approx((0.5 + 3) / 2, abs=5e-5)


def gru_by_autograd(name, seed, routes):
    """Size of d h_T / d h_{T-k} for k = 1, ..., 7, with every other use of h held constant."""
    torch.manual_seed(seed)
    cell = nn.GRUCell(3, 5, dtype=torch.float64)
    bias = gradient_routes.BIASES[name]
    if bias is not None:
        nn.init.constant_(cell.bias_ih[5:10], bias)
        nn.init.zeros_(cell.bias_hh[5:10])
    x = torch.randn(1, 7, 3, dtype=torch.float64)
    states = [torch.zeros(1, 5, dtype=torch.float64, requires_grad=True)]
    for t in range(7):
        h = states[-1]
        held = h.detach()
        (a_r, a_z, a_n) = (x[:, t] @ cell.weight_ih.T + cell.bias_ih).chunk(3, 1)
        (u_r, u_z, u_n) = (h @ cell.weight_hh.T + cell.bias_hh).chunk(3, 1)
        if routes != "total":
            u_r, u_z = u_r.detach(), u_z.detach()
        if routes == "direct alone":
            u_n = u_n.detach()
        r, z = torch.sigmoid(a_r + u_r), torch.sigmoid(a_z + u_z)
        states.append((1 - z) * torch.tanh(a_n + r * u_n) + z * h)
        assert torch.allclose(states[-1], cell(x[:, t], held))
    sizes = []
    for k in range(1, 8):
        rows = [
            torch.autograd.grad(unit, states[7 - k], retain_graph=True)[0][0]
            for unit in states[7][0]
        ]
        sizes.append(float(torch.linalg.norm(torch.stack(rows))) / 5**0.5)
    return sizes


@pytest.mark.parametrize("routes", ["total", *gradient_routes.CONFINED])
@pytest.mark.parametrize("name", gradient_routes.BIASES)
def test_route_sizes_agree_with_automatic_differentiation(name, routes):
    measured = gradient_routes.route_sizes(name, 3, SMALL)
    np.testing.assert_allclose(measured[routes], gru_by_autograd(name, 3, routes), rtol=1e-10)


def test_the_routes_record_holds_shares_of_the_gradient(tmp_path, monkeypatch):
    monkeypatch.setattr(gradient_routes, "QUICK", SMALL)
    outcome = gradient_routes.run(Options(tmp_path, seeds=3, quick=True, progress=False))
    results = outcome["results"]
    assert results["lags"] == [1, 2, 3, 4, 5, 6, 7]
    variant = results["variants"]["GRU, bias of z +2"]
    sizes = {key: np.array(rows) for key, rows in variant["sizes"].items()}
    assert sizes["total"].shape == (3, 7)
    logs = np.log(sizes["direct"][:, 1] / sizes["total"][:, 1])
    at = variant["at_lag"]["2"]["step"]["direct"]
    assert at["mean"] == pytest.approx(np.exp(logs.mean()), rel=1e-3)
    assert at["low"] < at["mean"] < at["high"]
    assert "GRU, lag 7" in gradient_routes.table(results)
