"""The competitors in PyTorch: ours, the library's, and the products without the rest."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatedrnn.bench.case import Case, Competitor
from gatedrnn.cells import GRU, LSTM
from gatedrnn.cells.minimal import MinGRU, MinLSTM
from gatedrnn.cells.steps import gru_step

Layer = Callable[[Tensor], Tensor]

LIBRARY: dict[str, type[nn.Module]] = {"gru": nn.GRU, "lstm": nn.LSTM}
OURS: dict[str, Callable[..., nn.Module]] = {"gru": GRU, "lstm": LSTM}


def library(case: Case, cell: str | None = None) -> Competitor:
    """The layer of torch.nn: the reference, and as another cell of equal size a comparison."""
    cell = cell or case.cell
    module = LIBRARY[cell](case.size.D, case.size.H)
    if cell == case.cell:
        case.load(module)
    competitor = of_module(f"torch.nn.{cell.upper()}", module.to(case.device), case)
    competitor.checked = cell == case.cell
    return competitor


def library_without_onednn(case: Case) -> Competitor:
    """The layer of torch.nn with oneDNN switched off, on a CPU."""
    module = case.load(LIBRARY[case.cell](case.size.D, case.size.H))

    def layer(x: Tensor) -> Tensor:
        (before, *_) = torch.backends.mkldnn.set_flags(False)
        try:
            return module(x)[0]
        finally:
            torch.backends.mkldnn.set_flags(before)

    return of_layer(f"torch.nn.{case.cell.upper()}, oneDNN off", layer, module, case)


def ours(case: Case, backend: str, recompute: bool = False) -> Competitor:
    """Our layer with one of its backends."""
    module = OURS[case.cell](case.size.D, case.size.H, backend=backend, recompute=recompute)
    name = f"ours, {backend}{', recomputing' if recompute else ''}"
    return of_module(name, case.load(module), case)


def cell_loop(case: Case) -> Competitor:
    """The single cell of torch.nn in a Python loop."""
    D, H = case.size.D, case.size.H
    cell = case.load({"gru": nn.GRUCell, "lstm": nn.LSTMCell}[case.cell](D, H))

    def layer(x: Tensor) -> Tensor:
        state, outputs = None, []
        for x_t in x.unbind(0):
            state = cell(x_t, state)
            outputs.append(state if case.cell == "gru" else state[0])
        return torch.stack(outputs)

    return of_layer(f"torch.nn.{case.cell.upper()}Cell in a loop", layer, cell, case)


def compiled_loop(case: Case, steps: int = 4) -> Competitor:
    """The plain loop, a few steps at a time compiled by torch.compile, and how long that took.

    The whole loop is never compiled: the time that takes grows faster than its length.
    """
    module = case.load(GRU(case.size.D, case.size.H))
    W_ih, W_hh, b_ih, b_hh = case.weights_of(module)

    @torch.compile(dynamic=False)
    def some_steps(projected: Tensor, h: Tensor, W_hh: Tensor, b_hh: Tensor) -> list[Tensor]:
        step = gru_step(W_hh, b_hh)
        states = []
        for projected_t in projected.unbind(0):
            (h,) = step(projected_t, (h,))
            states.append(h)
        return states

    def layer(x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[1], case.size.H)
        outputs = []
        for projected in F.linear(x, W_ih, b_ih).split(steps):
            outputs += some_steps(projected, h, W_hh, b_hh)
            h = outputs[-1]
        return torch.stack(outputs)

    competitor = of_layer(f"plain loop, {steps} steps compiled", layer, module, case)
    assert competitor.forward is not None and competitor.training is not None
    start = time.perf_counter()
    competitor.forward()
    competitor.training()
    competitor.compile_seconds = time.perf_counter() - start
    return competitor


def minimal(case: Case, kind: str, method: str) -> Competitor:
    """minGRU or minLSTM; another function than the reference, so that only time is compared."""
    build = {"minGRU": MinGRU, "minLSTM": MinLSTM}[kind]
    positive = method.startswith("log")
    module = build(case.size.D, case.size.H, method=method, positive=positive).to(case.device)
    competitor = of_module(f"{kind}, {method}", module, case)
    competitor.checked = False
    return competitor


def products_alone(case: Case) -> Competitor:
    """The matrix products of the cell and nothing else: the floor of what calls MKL or cuBLAS.

    Forward: the input side of all steps, and one product a step. Training: one more product a
    step for the gradient of the state, and two for the gradients of the weights.
    """
    x, weights = case.x, case.weights
    rows = x.flatten(0, 1)
    T, B, H = case.size.T, case.size.B, case.size.H
    to_gates = weights["W_hh"].T.contiguous()
    h = torch.randn(B, H, device=case.device)
    gates = torch.empty(B, weights["W_hh"].shape[0], device=case.device)
    dgates = torch.randn(T * B, weights["W_hh"].shape[0], device=case.device)
    states = torch.randn(T * B, H, device=case.device)

    @torch.no_grad()
    def forward() -> None:
        torch.mm(rows, weights["W_ih"].T)
        for _ in range(T):
            torch.mm(h, to_gates, out=gates)

    @torch.no_grad()
    def training() -> None:
        forward()
        out = torch.empty_like(h)
        for _ in range(T):
            torch.mm(gates, weights["W_hh"], out=out)
        torch.mm(dgates.T, rows)
        torch.mm(dgates.T, states)

    return Competitor("matrix products alone", forward, training, checked=False)


def captured(case: Case) -> Competitor:
    """Our fused layer in a CUDA graph: no Python between its kernels. For a GPU; see `run_case`."""
    module = case.load(OURS[case.cell](case.size.D, case.size.H, backend="fused"))
    eager = of_module("", module, case)
    assert eager.forward is not None and eager.training is not None

    def record(work: Callable[[], Any]) -> Callable[[], Any]:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = work()

        def replay() -> Any:
            graph.replay()
            return result

        return replay

    return Competitor("ours, fused, CUDA graph", record(eager.forward), record(eager.training))


def of_module(name: str, module: nn.Module, case: Case) -> Competitor:
    """A competitor from a layer that returns outputs and a final state."""
    return of_layer(name, lambda x: module(x)[0], module, case)


def of_layer(name: str, layer: Layer, module: nn.Module, case: Case) -> Competitor:
    """A competitor from a function of x (T, B, D) whose weights are those of a module."""
    parameters = dict(module.named_parameters())
    recurrent = next((p for n, p in parameters.items() if n.startswith("weight_hh")), None)

    @torch.no_grad()
    def forward() -> Tensor:
        return layer(case.x)

    def training() -> Tensor | None:
        module.zero_grad(set_to_none=True)
        layer(case.x).backward(case.dout)
        return None if recurrent is None else recurrent.grad

    given = (case.x, *parameters.values())
    return Competitor(name, forward, training, lambda: layer(case.x), given)
