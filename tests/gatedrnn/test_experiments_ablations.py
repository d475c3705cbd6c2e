"""The ablations: what is measured, how a rate is chosen, and that a seed is a seed."""

import math
import os

import pytest
import torch

from gatedrnn.experiments import ablations
from gatedrnn.experiments.options import ExperimentError, Options
from gatedrnn.experiments.runs import Place
from gatedrnn.models.side_by_side import VariantModel

NOWHERE = Place(None, "", 0, False)
ADDING = ablations.QUICK["adding"]


def configuration(task, variant, seeds, **changes):
    settings = ablations.QUICK | {task: ablations.QUICK[task] | changes}
    return ablations.variant_run(task, variant, settings, seeds).configuration


def row(errors, rates, steps):
    settings = {"adding": ADDING | {"learning_rates": sorted(set(rates)), "solved_below": 0.01}}
    return {
        "configuration": {"settings": settings, "hidden_size": 5},
        "learning_rates": rates,
        "parameters": 9,
        "steps": steps,
        "valid_mse": errors,
        "cpu_seconds": 1.0,
    }


def test_the_rate_that_solves_more_is_chosen_and_the_median_counts_what_never_got_there():
    # Columns: seeds 0, 1, 2 at rate 0.1, then at 0.2.
    errors = [
        [0.005, 0.3, 0.3, 0.3, 0.3, 0.3],
        [0.300, 0.3, 0.3, 0.005, 0.3, None],
        [0.300, 0.3, 0.3, 0.005, 0.004, 0.3],
    ]
    summary = ablations._adding_summary(row(errors, [0.1] * 3 + [0.2] * 3, [10, 20, 30]))
    assert summary["learning_rate"] == 0.2
    assert summary["solved"] == 2
    assert summary["steps_to_solve"] == [20, 30, None]
    assert summary["median_steps"] == 30
    assert summary["curve_valid_mse"][2] == [0.3, None, 0.3]
    # Of an even number of seeds the lower middle one, a step count that was measured.
    assert ablations._median([None, 20]) == 20
    never = ablations._adding_summary(row([[0.3] * 6] * 3, [0.1] * 3 + [0.2] * 3, [10, 20, 30]))
    assert never["solved"] == 0 and never["median_steps"] is None
    assert never["learning_rate"] == 0.1


def test_a_silent_model_pays_ln_2_for_each_key_and_padding_costs_nothing():
    model = VariantModel("LSTM", 88, 3, 88)
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.zero_()
    rolls, lengths = torch.ones(2, 5, 88), torch.tensor([5, 3])
    nats, frames = ablations.chorale_nll([model], rolls, lengths)
    assert frames == 4 + 2
    assert float(nats[0].detach()) == pytest.approx(6 * 88 * math.log(2), rel=1e-6)
    louder = rolls.clone()
    louder[1, 3:] = 50.0
    assert torch.equal(ablations.chorale_nll([model], louder, lengths)[0], nats)


def test_what_is_paid_for_is_the_next_frame():
    model = VariantModel("GRU", 88, 3, 88)
    with torch.no_grad():
        model.readout.weight.zero_()
        model.readout.bias.fill_(-2.0)
    rolls = torch.zeros(1, 3, 88)
    quiet = ablations.chorale_nll([model], rolls, torch.tensor([3]))[0].item()
    dearer = []
    for t in range(3):
        rolls.zero_()[0, t, 7] = 1.0
        dearer.append(ablations.chorale_nll([model], rolls, torch.tensor([3]))[0].item() - quiet)
    # A note that is given log-odds of -2 costs 2 nats more than silence; the first frame is free.
    assert dearer == pytest.approx([0.0, 2.0, 2.0], abs=1e-4)


def test_a_frame_is_foretold_from_those_before_it():
    torch.manual_seed(0)
    model = VariantModel("GRU", 88, 4, 88)
    rolls = (torch.rand(1, 6, 88) > 0.9).float().requires_grad_()
    logits = ablations.run_side_by_side([model], rolls[:, :-1])
    seen = torch.autograd.grad(logits[0, 0, 2].sum(), rolls)[0].abs().sum(dim=2)[0]
    assert (seen[:3] > 0).all() and (seen[3:] == 0).all()


def test_other_seeds_and_rates_beside_it_change_nothing_for_a_run():
    together = ablations.train_variant(configuration("adding", "LSTM", [0, 1]), NOWHERE)
    alone = ablations.train_variant(
        configuration("adding", "LSTM", [1], learning_rates=[0.02]), NOWHERE
    )
    assert together["learning_rates"] == [0.01, 0.01, 0.02, 0.02]
    for both, one in zip(together["valid_mse"], alone["valid_mse"], strict=True):
        assert both[3] == pytest.approx(one[0], rel=1e-5)
        assert len(set(both)) == 4


def test_a_network_that_breaks_does_not_break_its_neighbours():
    settings = configuration("adding", "LSTM", [0, 1], learning_rates=[0.01])
    models = ablations._models(settings)
    with torch.no_grad():
        models[0].readout.bias.fill_(float("inf"))
    optimiser = torch.optim.Adam([{"params": m.parameters(), "lr": 0.01} for m in models])
    measured = ablations.train_adding(models, optimiser, settings)
    assert [errors[0] for errors in measured["valid_mse"]] == [None, None]
    assert all(errors[1] is not None for errors in measured["valid_mse"])


def test_all_variants_have_the_parameters_of_the_lstm():
    for task in ablations.TASKS:
        counts = {}
        for name in ablations.FULL["variants"]:
            run = ablations.variant_run(task, name, ablations.FULL, [0])
            model = ablations._build(task, name, run.configuration["hidden_size"])
            counts[name] = ablations.parameter_count(model)
        for name, count in counts.items():
            assert abs(count / counts["LSTM"] - 1) < 0.05, (task, name, count)


@pytest.mark.skipif(
    not os.environ.get("GATEDRNN_DATA"), reason="needs the data: set GATEDRNN_DATA to a mirror"
)
def test_a_trial_holds_every_variant_and_task(tmp_path, monkeypatch):
    names = ["GRU", "LSTM", "LSTM, coupled gates", "LSTM, no forget gate"]
    monkeypatch.setattr(ablations, "QUICK", ablations.QUICK | {"variants": names})
    outcome = ablations.run(Options(tmp_path, seeds=2, quick=True, progress=False))
    for task in ablations.TASKS:
        assert list(outcome["results"]["tasks"][task]) == names
    music = outcome["results"]["tasks"]["chorales"]["GRU"]
    assert len(set(music["test_nll"])) == 2
    assert "LSTM, no forget gate - LSTM" in outcome["results"]["pairs"]
    assert "GRU - LSTM, coupled gates" in ablations.table(outcome["results"])
    with pytest.raises(ExperimentError, match="at least 2"):
        ablations.run(Options(tmp_path, seeds=1, quick=True))
