"""Runs and records: kept, found again, interrupted, refused, and matched in size."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from gatedrnn.experiments import cli, registry, runs
from gatedrnn.experiments.matching import hidden_size_for, parameter_count
from gatedrnn.experiments.options import ExperimentError, Options
from gatedrnn.experiments.records import read_record, write_record
from gatedrnn.experiments.runs import Place, Run, run_all

# ------------------------------------------------------------------------------------- runs


def double(configuration, place):
    """A run that leaves a line for each time that it is really done."""
    with open(configuration["log"], "a") as log:
        log.write(f"{configuration['value']}\n")
    return {"doubled": 2 * configuration["value"]}


def fail_after_the_first(configuration, place):
    """Run 2 fails, but only once run 1 is finished and kept."""
    if configuration["value"] == 2:
        deadline = time.monotonic() + 60
        while not list(place.checkpoint.parent.glob("run1-*.json")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise ValueError("two is too much")
    return double(configuration, place)


def some_runs(tmp_path, values=(1, 2, 3)):
    log = str(tmp_path / "log")
    return [Run(f"run{v}", {"value": v, "log": log}) for v in values]


def quiet(tmp_path, **choices):
    return Options(tmp_path / "work", progress=False, **choices)


def test_finished_runs_are_found_again_and_not_done_twice(tmp_path):
    options = quiet(tmp_path)
    first = run_all(double, some_runs(tmp_path, (1, 2)), options)
    both = run_all(double, some_runs(tmp_path), options)
    assert [row["doubled"] for row in both] == [2, 4, 6]
    assert both[:2] == first
    assert sorted((tmp_path / "log").read_text().split()) == ["1", "2", "3"]


def test_a_failure_in_a_process_names_the_run_and_keeps_the_others(tmp_path, capfd):
    with pytest.raises(ExperimentError, match="run2 failed"):
        run_all(fail_after_the_first, some_runs(tmp_path, (1, 2)), quiet(tmp_path, jobs=2))
    said = capfd.readouterr().err
    assert "run2: ValueError: two is too much" in said and "Traceback" not in said
    again = run_all(double, some_runs(tmp_path, (1, 2)), quiet(tmp_path))
    assert [row["doubled"] for row in again] == [2, 4]
    assert (tmp_path / "log").read_text().split() == ["1", "2"]


def test_another_configuration_or_another_source_is_another_run(tmp_path, monkeypatch):
    run = some_runs(tmp_path)[0]
    stem = run.file_stem
    assert Run("run1", {**run.configuration, "value": 1.5}).file_stem != stem
    assert Run("run1", dict(reversed(run.configuration.items()))).file_stem == stem
    monkeypatch.setattr(runs, "source_digest", lambda: "edited")
    assert run.file_stem != stem


# ---------------------------------------------------------------------------------- matching


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("budget", [300, 5000, 74_496])
def test_the_matched_size_is_the_nearest_of_all(layer, budget):
    found = hidden_size_for(budget, lambda h: layer(6, h))
    counts = {h: parameter_count(layer(6, h)) for h in range(max(1, found - 2), found + 3)}
    assert abs(counts[found] - budget) == min(abs(count - budget) for count in counts.values())


def test_a_budget_too_small_is_refused():
    with pytest.raises(ValueError, match="hidden size of 1"):
        hidden_size_for(3, lambda h: nn.GRU(6, h))


# ----------------------------------------------------------------------------------- records


def test_a_record_is_read_back_as_it_was_written(tmp_path):
    record = {
        "schema": 1,
        "text": 'ROMEO:\nO "brave" é',
        "empty": [{}, [], ""],
        "rows": [[1, 2.5], [0.1, None]],
        "deep": {"list": [{"a": [1e-45, True]}]},
    }
    write_record(tmp_path / "r.json", record)
    assert read_record(tmp_path / "r.json") == record
    assert "\n  [1, 2.5],\n" in (tmp_path / "r.json").read_text(encoding="utf-8")


def test_a_record_with_a_number_that_json_lacks_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_record(tmp_path / "r.json", {"schema": 1, "value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_record_before_it(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    write_record(path, {"schema": 1})
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(ExperimentError, match="r.json could not be written .No space left"):
        write_record(path, {"schema": 1, "new": True})
    assert read_record(path) == {"schema": 1}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no record .*r.json; make it with: .* run r"),
        ("{", "cannot be read as a record"),
        ('{"schema": 99}', "schema 99, this program reads schema 1"),
    ],
)
def test_a_record_that_cannot_be_used_is_explained(tmp_path, content, words):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    with pytest.raises(ExperimentError, match=words):
        read_record(tmp_path / "r.json")


# ------------------------------------------------------------------------------ command line


class Toy:
    """An experiment of no cost, in place of the real ones."""

    TITLE = "A toy"
    MAX_JOBS = 1
    interrupt = False

    def run(self, options):
        if self.interrupt:
            raise KeyboardInterrupt
        return {"configuration": {}, "seeds": [0], "results": {"value": options.seeds}}

    def table(self, results):
        return f"value {results['value']}"


@pytest.fixture
def toy(monkeypatch, tmp_path):
    toy = Toy()
    monkeypatch.setitem(registry._MODULES, "toy", "toy")
    monkeypatch.setattr(registry, "import_module", lambda name: toy)
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    return toy


def test_run_writes_a_record_that_show_and_list_read(toy, tmp_path, capsys):
    assert cli.main(["run", "toy", "--seeds", "3"]) == 0
    record = json.loads((tmp_path / "book" / "results" / "toy.json").read_text())
    assert record["command"] == "python -m gatedrnn.experiments run toy --seeds 3"
    assert record["versions"]["torch"] == torch.__version__
    for key in ("date", "device", "threads", "jobs", "wall_seconds", "configuration", "seeds"):
        assert key in record
    assert cli.main(["show", "toy"]) == 0
    assert "value 3" in capsys.readouterr().out
    assert cli.main(["list"]) == 0
    assert f"toy: A toy (recorded {record['date']})" in capsys.readouterr().out


def test_a_record_is_not_lost_when_the_next_one_comes(toy, tmp_path):
    cli.main(["run", "toy", "--seeds", "3"])
    cli.main(["run", "toy", "--seeds", "4"])
    assert read_record(tmp_path / "book/results/toy.json")["results"]["value"] == 4
    (kept,) = (tmp_path / "build/experiments/toy").glob("previous-*.json")
    assert read_record(kept)["results"]["value"] == 3


def test_a_trial_does_not_touch_the_records_of_the_book(toy, tmp_path, capsys):
    assert cli.main(["run", "toy", "--quick"]) == 0
    assert list((tmp_path / "book/results").iterdir()) == []
    assert (tmp_path / "build/experiments/toy-quick/toy.json").exists()
    assert "numbers mean nothing" in capsys.readouterr().out


def test_an_interrupt_is_one_sentence_and_leaves_no_record(toy, tmp_path, capsys):
    toy.interrupt = True
    assert cli.main(["run", "toy"]) == 130
    assert capsys.readouterr().err.strip().startswith("Interrupted; finished runs")
    assert list((tmp_path / "book/results").iterdir()) == []


def test_what_cannot_be_run_is_said_in_one_line(toy, tmp_path, capsys, monkeypatch):
    assert cli.main(["run", "toi"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("There is no experiment called 'toi'; choose one of: ablations, ")
    assert said.count("\n") == 1
    assert cli.main(["show", "toy"]) == 1
    assert "make it with: python -m gatedrnn.experiments run toy" in capsys.readouterr().err
    monkeypatch.chdir("/")
    assert cli.main(["run", "toy"]) == 1
    assert "go to the course's folder, or give one with --out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["run", "toy", "--seeds", "0"])
    assert "expected a whole number of at least 1, got '0'" in capsys.readouterr().err


# --------------------------------------------------------------------- the language models


TEXT = ("the quick brown fox jumps over the lazy dog; " * 60)[:2600]


@pytest.fixture
def small_text(monkeypatch, tmp_path):
    """A language-model experiment of a second: a text of 2600 characters, two rates, six steps."""
    from gatedrnn.experiments import tinyshakespeare_cells as experiment

    monkeypatch.setattr(experiment, "load_text", lambda name: TEXT)
    experiment._text.cache_clear()
    small = experiment.QUICK | {
        "gru_hidden_size": 24,
        "embedding_size": 5,
        "batch_size": 4,
        "chunk_length": 8,
        "steps": 6,
        "evaluate_every": 3,
        "validation_streams": 2,
        "sample": {"prompt": "the", "characters": 5, "temperature": 0.5, "seed": 0},
    }
    monkeypatch.setattr(experiment, "QUICK", small)
    yield experiment
    experiment._text.cache_clear()


def test_cells_have_equal_parameters_and_are_tested_with_the_rate_that_validation_chose(
    small_text, tmp_path
):
    outcome = small_text.run(quiet(tmp_path, quick=True, seeds=2))
    cells = outcome["results"]["cells"]
    assert set(cells) == {"RNN", "GRU", "LSTM"}
    budget = cells["GRU"]["parameters"]
    for cell, row in cells.items():
        torch.manual_seed(0)
        assert abs(row["parameters"] - budget) < 0.05 * budget, cell
        tuning = dict(zip(row["tuning"]["valid_bpc"], row["tuning"]["learning_rate"], strict=True))
        assert row["learning_rate"] == tuning[min(tuning)]
        assert len(row["test_bpc"]) == 2 and row["test_bpc"][0] != row["test_bpc"][1]
        assert row["curve_characters"] == [3 * 32, 6 * 32]
        assert row["sample"].startswith("the") and len(row["sample"]) == 8
    pair = outcome["results"]["pairs"]["GRU - LSTM"]
    expected = [a - b for a, b in zip(cells["GRU"]["test_bpc"], cells["LSTM"]["test_bpc"],
                                      strict=True)]  # fmt: skip
    assert pair["differences"] == expected
    assert pair["low"] <= sum(expected) / 2 <= pair["high"]
    words = small_text.table(outcome["results"])
    assert f"{cells['LSTM']['test_interval']['mean']:.4f}" in words
    files = [json.loads(p.read_text()) for p in (tmp_path / "work").glob("*.json")]
    tuned = [row for row in files if row["configuration"]["seed"] == 1000]
    assert len(tuned) == 6 and not any("test_bpc" in row for row in tuned)
    assert 1000 not in outcome["seeds"]
    write_record(tmp_path / "r.json", outcome)  # everything in it is plain JSON


def test_full_size_models_agree_within_one_per_cent():
    from gatedrnn.experiments import tinyshakespeare_cells as experiment

    def build(cell, hidden):
        return experiment._model(cell, hidden, 66, experiment.FULL)

    budget = parameter_count(build("GRU", 128))
    # By formula: embedding, three blocks with two biases, readout.
    assert budget == 66 * 32 + 3 * (32 * 128 + 128**2 + 2 * 128) + 66 * 129
    for cell in experiment.LAYERS:
        hidden = hidden_size_for(budget, lambda h, cell=cell: build(cell, h))
        assert abs(parameter_count(build(cell, hidden)) / budget - 1) < 0.01


def test_an_interrupted_language_run_goes_on_to_the_same_values(small_text, tmp_path, monkeypatch):
    from gatedrnn.training import TrainingSettings

    settings = {"steps": 9, "evaluate_every": 3, "learning_rates": [0.01]}
    configuration = {
        "settings": small_text.QUICK | settings, "cell": "LSTM", "hidden_size": 6,
        "learning_rate": 0.01, "seed": 0, "test": True,
    }  # fmt: skip
    monkeypatch.setattr(
        small_text, "TrainingSettings", lambda **kw: TrainingSettings(**kw, checkpoint_every=2)
    )

    def train(name):
        place = Place(tmp_path / name, "run", 0, False)
        row = small_text.train_one(configuration, place)
        return {key: value for key, value in row.items() if "seconds" not in key}

    whole = train("whole")
    real, calls = small_text.next_character_loss, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(small_text, "next_character_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train("broken")
    assert train("broken") == whole
    assert len(calls) == 6 + 5  # steps 5 to 9 again; 1 to 4 came from the checkpoint


def test_ctrl_c_reaches_a_run_in_processes_as_one_sentence(tmp_path):
    """The real command line, two processes, and a real interrupt of the whole group."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, time, pathlib\n"
        "from gatedrnn.experiments import cli, registry\n"
        "from gatedrnn.experiments.runs import Run, run_all\n"
        "TITLE, MAX_JOBS = 'Slow', 2\n"
        "def slow(configuration, place):\n"
        "    pathlib.Path(f'started{configuration[\"n\"]}').touch()\n"
        "    time.sleep(60)\n"
        "def run(options):\n"
        "    run_all(slow, [Run(f'r{n}', {'n': n}) for n in range(2)], options)\n"
        "if __name__ == '__main__':\n"
        "    registry._MODULES['slow'] = '__main__'\n"
        "    sys.exit(cli.main(['run', 'slow', '--jobs', '2', '--out', '.']))\n"
    )
    source = str(Path(cli.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": source},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not all((tmp_path / f"started{n}").exists() for n in range(2)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().startswith("Interrupted; finished runs") and "Traceback" not in said
    # Nothing of the group stays behind.
    deadline = time.monotonic() + 20
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.05)
