"""What an exercise leaves out is refused in its answers, in every world, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from grader import units
from grader.engine import run_checks
from grader.marking import Marked, mark
from grader.notebooks import solution_namespace, student_notebook
from grader.student import LocalStudent
from grader.tools import TOOLS, refusing
from grader.worker import seal
from grader.worker.launch import Limits, WorkerFactory
from tests.grader import classes as c
from tests.grader.fuzz import unit_source

LIMITS = Limits(cell=60, call=30, notebook=240, deaths=1)
_LAYER = """
import torch
def rnn_forward(x, h0, params):
    layer = torch.nn.RNN(x.shape[2], h0.shape[1], batch_first=True, dtype=torch.float64)
    names = dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
                     ("W_ih", "W_hh", "b_ih", "b_hh")))
    layer.load_state_dict({k: torch.from_numpy(params[v]) for k, v in names.items()})
    with torch.no_grad():
        outputs, h = layer(torch.from_numpy(x), torch.from_numpy(h0)[None])
    return outputs.numpy(), h[0].numpy()
"""


def _gradient(way: str) -> object:
    x = torch.ones(3, requires_grad=True)
    if way == "grad":
        return torch.autograd.grad((x**2).sum(), x)
    if way == "backward":
        return (x**2).sum().backward()
    if way == "func":
        return torch.func.grad(lambda v: (v**2).sum())(torch.ones(3))
    if way == "jacrev":
        return torch.func.jacrev(lambda v: v**2)(torch.ones(3))
    if way == "jvp":
        return torch.func.jvp(lambda v: v**2, (torch.ones(3),), (torch.ones(3),))
    return torch.autograd.functional.jacobian(lambda v: v**2, torch.ones(3))


@pytest.mark.parametrize("way", ["grad", "backward", "func", "jacrev", "jvp", "jacobian"])
def test_each_way_of_differentiating_is_refused_for_as_long_as_it_is_asked(way: str) -> None:
    _gradient(way)
    with (
        refusing(["automatic differentiation"]) as tried,
        pytest.raises(RuntimeError, match="leaves out"),
    ):
        _gradient(way)
    assert tried == ["automatic differentiation"]
    _gradient(way)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"])
def test_each_layer_is_refused_for_as_long_as_it_is_asked(name: str) -> None:
    layer, x = getattr(torch.nn, name)(2, 3), torch.ones(4, 2)
    layer(x)
    with refusing(["torch's recurrent layers"]), pytest.raises(RuntimeError, match="leaves out"):
        layer(x)
    layer(x)


def test_afterwards_torch_is_as_it_was() -> None:
    before = {name: dict(vars(getattr(torch.nn, name))) for name in ("RNN", "GRU")}
    spaces = dict(vars(torch)), dict(vars(torch.autograd)), dict(vars(torch._VF))
    with refusing(TOOLS):
        pass
    assert {name: dict(vars(getattr(torch.nn, name))) for name in ("RNN", "GRU")} == before
    assert (dict(vars(torch)), dict(vars(torch.autograd)), dict(vars(torch._VF))) == spaces


def test_what_is_left_out_is_written_in_the_notebook() -> None:
    words = {"torch's recurrent layers": "torch.nn.RNN",
             "automatic differentiation": "automatic differentiation"}  # fmt: skip
    assert set(words) == set(TOOLS)
    for slug in units.slugs():
        text = "\n".join(cell.source for cell in student_notebook(slug).cells)
        for exercise in units.exercises(slug):
            assert all(words[tool] in text for tool in exercise.without), exercise.name


def test_on_the_desk_it_earns_nothing_and_says_why() -> None:
    space = solution_namespace(c.SLUG)
    exec(_LAYER, space)
    results = run_checks(c.SLUG, LocalStudent(space), seed=3, only=["rnn_forward"])
    assert sum(r.earned for r in results) == 0
    assert all("leaves out torch's recurrent layers" in r.message for r in results)
    assert not any("refuse" in r.message for r in results)  # no line of ours


@pytest.fixture(scope="module")
def factory() -> Iterator[WorkerFactory]:
    made = seal.choose(unsealed=True)
    yield made
    if isinstance(made, seal.SealedFactory):
        made.close()


def marked(data: bytes, factory: WorkerFactory, folder: Path) -> Marked:
    path = folder / "hand-in.ipynb"
    path.write_bytes(data)
    return mark(path, unit_source(), factory=factory, limits=LIMITS, seed=5)


def test_in_marking_it_earns_nothing_and_the_instructor_is_told(factory, tmp_path: Path) -> None:
    made = marked(c.full().write("rnn_forward", _LAYER).bytes(), factory, tmp_path)
    earned = {name: 0.0 for name in c.worth()}
    for result in made.results:
        earned[result.exercise] += result.earned
    assert earned["rnn_forward"] == 0
    assert earned["rnn_step"] == c.worth()["rnn_step"]
    assert [f for f in made.flags if "`rnn_forward` used torch's recurrent layers" in f]


def test_cells_may_compare_with_them(factory, tmp_path: Path) -> None:
    compare = (
        "import torch\nlayer = torch.nn.RNN(3, 5, batch_first=True)\n"
        "x = torch.ones(2, 4, 3, requires_grad=True)\nlayer(x)[0].sum().backward()\n"
        "print('compared', x.grad.shape)"
    )
    made = marked(c.with_cell(compare), factory, tmp_path)
    assert sum(r.earned for r in made.results) == sum(c.worth().values())
    assert made.flags == []
    assert any("compared" in part["text"] for run in made.runs for part in run.shown)
