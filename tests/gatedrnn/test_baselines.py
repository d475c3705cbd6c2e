"""Windows, scales, likelihoods and simple forecasts, against what others compute."""

import math
import os

import numpy as np
import pytest
import torch

from gatedrnn.analysis.likelihood import perplexity
from gatedrnn.data import DataError
from gatedrnn.data.series import fit_scaler, load_series, split_windows, windows
from gatedrnn.experiments import naive_forecasts, ngram_orders
from gatedrnn.experiments.options import Options
from gatedrnn.models.forecasts import Autoregression, persistence, seasonal_naive

NEEDS_DATA = pytest.mark.skipif(
    not os.environ.get("GATEDRNN_DATA"), reason="needs the data: set GATEDRNN_DATA to a mirror"
)


@pytest.mark.equation("eq-window")
@pytest.mark.parametrize(("length", "horizon"), [(1, 1), (4, 1), (3, 5), (7, 2)])
def test_windows_are_those_of_torch_unfold(length, horizon):
    series = np.random.default_rng(0).normal(size=23)
    rows = torch.from_numpy(series).unfold(0, length, 1).numpy()
    got = windows(series, length, horizon)
    np.testing.assert_array_equal(got.inputs, rows[:-horizon])
    np.testing.assert_array_equal(got.targets, rows[horizon:])


def test_no_window_crosses_the_split_and_all_that_fit_are_there():
    times = np.arange(30.0)
    train, test = split_windows(times, 4, 2, 17)
    assert train.inputs.min() == 0 and train.targets.max() == 16
    assert test.inputs.min() == 17 and test.targets.max() == 29
    assert len(train.inputs) == 12 and len(test.inputs) == 8
    assert windows(times[:5], 4, 2).inputs.shape == (0, 4)
    with pytest.raises(ValueError, match="length and a horizon of 1 or more, got 4, 0"):
        windows(times, 4, 0)


@pytest.mark.equation("eq-perplexity")
def test_perplexity_is_exp_of_torch_cross_entropy_with_ignored_pads():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, 11, dtype=torch.float64, generator=generator)
    targets = torch.randint(11, (5, 7), generator=generator)
    targets[1, 4:] = targets[3, 1:] = -100
    flat = logits.reshape(-1, 11), targets.reshape(-1)
    expected = math.exp(torch.nn.functional.cross_entropy(*flat))
    nll = torch.nn.functional.cross_entropy(*flat, reduction="none").reshape(5, 7).numpy()
    mask = (targets != -100).numpy()
    nll = np.where(mask, nll, np.nan)
    assert perplexity([nll[:2], nll[2:]], [mask[:2], mask[2:]]) == pytest.approx(expected)
    for nothing in ([np.zeros_like(mask)], []):
        with pytest.raises(ValueError, match="at least one real token"):
            perplexity([nll] * len(nothing), nothing)


@pytest.mark.equation("eq-scale")
def test_the_scaler_knows_the_rows_before_the_split_only():
    rng = np.random.default_rng(1)
    series = rng.normal(3.0, 2.0, size=(20, 3))
    # A constant column whose computed deviation is a rounding error, and not 0.
    candidates = np.linspace(0.1, 0.9, 50)
    for series[:13, 1] in candidates:
        if series[:13].std(axis=0)[1] > 0:
            break
    assert 0 < series[:13].std(axis=0)[1] < 1e-12
    mean, scale = fit_scaler(series, 13)
    expected = torch.from_numpy(series[:13]).std(dim=0, correction=0).numpy()
    np.testing.assert_allclose(mean, series[:13].sum(axis=0) / 13)
    np.testing.assert_allclose(scale[[0, 2]], expected[[0, 2]])
    assert scale[1] == 1.0


@pytest.mark.equation("eq-persistence", "eq-seasonal-naive")
def test_naive_forecasts_by_hand():
    history = np.array([9.0, 1.0, 2.0, 3.0])
    assert persistence(history, 3).tolist() == [3, 3, 3]
    assert seasonal_naive(history, 7, 3).tolist() == [1, 2, 3, 1, 2, 3, 1]
    with pytest.raises(ValueError, match="whole season of 5 values, got 4"):
        seasonal_naive(history, 2, 5)


@pytest.mark.equation("eq-autoregression")
def test_the_autoregression_continues_a_recursion_it_can_express():
    values = [1.0, -0.5]
    for _ in range(40):
        values.append(0.3 + 1.6 * values[-1] - 0.9 * values[-2])
    model = Autoregression(np.array(values[:30]), 2)
    # The weights are oldest first, after the constant.
    np.testing.assert_allclose(model.weights, [0.3, -0.9, 1.6], atol=1e-9)
    np.testing.assert_allclose(model.forecast(np.array(values[:30]), 12), values[30:], atol=1e-7)
    with pytest.raises(ValueError, match="order 5 and 10 values"):
        Autoregression(np.array(values[:10]), 5)


def test_a_forecast_does_not_see_beyond_its_origin():
    plan = {"season": 4, "order": 2, "first_origin": 0.5, "every": 3}
    values = np.random.default_rng(2).normal(size=40)
    origins = naive_forecasts.rolling_origins(40, 5, plan)
    assert origins == [20, 23, 26, 29, 32, 35]
    errors = naive_forecasts.absolute_errors(values, origins, 5, plan)
    other = values.copy()
    other[20:] = 100.0
    changed = naive_forecasts.absolute_errors(other, origins, 5, plan)
    for name, error in errors.items():
        # From 100 and from the old truth, the forecast of the first origin is the same.
        below = np.isclose(np.abs(values[20:25] - (100.0 - changed[name][0])), error[0])
        assert below.all(), name
    np.testing.assert_allclose(errors["persistence"][1], np.abs(values[22] - values[23:28]))


def test_a_fold_is_predicted_from_the_text_outside_it():
    text = "abab" * 30 + "cccc" * 30
    held_out = slice(120, 240)
    found = ngram_orders.fold_bpc(text, held_out, 1.0, [1, 2])
    # "c" is unknown outside the fold, so it costs many bits, and after itself just as many.
    assert found[1]["bpc"] > 5
    easy = ngram_orders.fold_bpc(text, slice(0, 60), 1.0, [1, 2])
    assert easy[2]["bpc"] < 0.5 < easy[1]["bpc"]


@NEEDS_DATA
def test_the_series_are_the_known_ones():
    sunspots, elnino = load_series("sunspots"), load_series("elnino")
    assert (len(sunspots), len(elnino)) == (3126, 732)
    assert sunspots[[0, 12, -1]].tolist() == [58.0, 73.3, 2.6]
    assert elnino[[0, 13]].tolist() == [23.11, 25.28]
    with pytest.raises(
        DataError, match="no series called 'tides'; choose one of: elnino, sunspots"
    ):
        load_series("tides")


@NEEDS_DATA
def test_the_quick_baselines_run(tmp_path):
    options = Options(tmp_path, quick=True, progress=False)
    outcome = naive_forecasts.run(options)["results"]
    row = outcome["series"]["elnino"]["methods"]["persistence"]
    assert row["at"]["3"]["mean"] == pytest.approx(row["mean"][2], rel=1e-4)
    assert "elnino" in naive_forecasts.table(outcome)
    outcome = ngram_orders.run(options)["results"]
    assert outcome["best"]["0.02"]["order"] == 2
    assert len(outcome["shares"]["0.01"]["1"]["bpc"]) == 5
    assert "0.02" not in ngram_orders.table(outcome) and "2%" in ngram_orders.table(outcome)
