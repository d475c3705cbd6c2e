"""The fused kernels against ``torch.nn``, finite differences, and what they promise to keep."""

import importlib

import pytest
import torch
from torch import Tensor, nn

from gatedrnn.kernels import common, gru_fused, lstm_fused

LIBRARY = {"gru": nn.GRU, "lstm": nn.LSTM}
BLOCKS = {"gru": 3, "lstm": 4}
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def fused(kind, x, states, parameters, recompute=False):
    """Outputs and final states of a kernel, as one flat tuple."""
    if kind == "gru":
        return gru_fused(x, *states, *parameters, recompute=recompute)
    outputs, final = lstm_fused(x, states, *parameters, recompute=recompute)
    return outputs, *final


def library(kind, x, states, parameters):
    """The same with the layer of ``torch.nn``, on the same parameters."""
    H = parameters[1].shape[1]
    layer = LIBRARY[kind](x.shape[2], H, bias=len(parameters) == 4).to(x.dtype)
    hx = tuple(s.unsqueeze(0) for s in states)
    names = [name for name, _ in layer.named_parameters()]
    outputs, final = torch.func.functional_call(
        layer, dict(zip(names, parameters, strict=True)), (x, hx if kind == "lstm" else hx[0])
    )
    final = final if kind == "lstm" else (final,)
    return outputs, *(s.squeeze(0) for s in final)


def case(kind, T, B, D, H, dtype=torch.float64, bias=True, seed=0):
    """Random input, states and parameters, all of them asking for a gradient."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        values = torch.randn(shape, generator=generator, dtype=dtype) * scale
        return values.requires_grad_()

    G = BLOCKS[kind]
    states = tuple(draw(B, H) for _ in range(1 if kind == "gru" else 2))
    parameters = [draw(G * H, D, scale=D**-0.5), draw(G * H, H, scale=H**-0.5)]
    if bias:
        parameters += [draw(G * H), draw(G * H)]
    return draw(T, B, D), states, parameters


def gradients(results, sources, seed=1):
    """Gradients of a sum in which every value of every result has a weight of its own."""
    generator = torch.Generator().manual_seed(seed)
    loss = torch.zeros((), dtype=results[0].dtype)
    for result in results:
        weight = torch.randn(result.shape, generator=generator, dtype=result.dtype)
        loss = loss + (result * weight).sum()
    return torch.autograd.grad(loss, sources)


def assert_equal(ours, theirs, dtype):
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        # A gradient summed over B * T terms has rounding errors in proportion to its size.
        scale = max(1.0, float(b.detach().abs().max()))
        torch.testing.assert_close(
            a / scale, b / scale, rtol=0, atol=TOLERANCE[dtype], msg=lambda m, i=index: f"{i}: {m}"
        )


@pytest.fixture(params=[None, 1, 3], ids=["default tiles", "tiles of 1", "tiles of 3"])
def tile_steps(request, monkeypatch):
    """Run with tiles of a few steps, the last one shorter, as long sequences have them."""
    if request.param is not None:

        def few_steps(steps, bytes_per_step):
            for start in range(0, steps, request.param):
                yield start, min(start + request.param, steps)

        for module in ("gru", "lstm"):
            monkeypatch.setattr(f"gatedrnn.kernels.{module}.tiles", few_steps)
    return request.param


@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-n", "eq-gru-h", cases=("gru",))
@pytest.mark.equation("eq-lstm-step", cases=("lstm",))
@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("T", [1, 2, 7])
def test_equals_the_library(kind, recompute, bias, T, tile_steps):
    x, states, parameters = case(kind, T, 3, 5, 4, bias=bias)
    sources = [x, *states, *parameters]
    ours = fused(kind, x, states, parameters, recompute)
    theirs = library(kind, x, states, parameters)
    assert_equal(ours, theirs, torch.float64)
    assert_equal(gradients(ours, sources), gradients(theirs, sources), torch.float64)


@pytest.mark.equation("eq-gru-r", "eq-gru-z", "eq-gru-n", "eq-gru-h", cases=("gru",))
@pytest.mark.equation("eq-lstm-step", cases=("lstm",))
@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equals_the_library_over_several_tiles(kind, recompute, dtype):
    # 45 steps of 40 * 96 values: several tiles.
    x, states, parameters = case(kind, 45, 40, 5, 96, dtype=dtype)
    sources = [x, *states, *parameters]
    ours = fused(kind, x, states, parameters, recompute)
    theirs = library(kind, x, states, parameters)
    assert_equal(ours, theirs, dtype)
    assert_equal(gradients(ours, sources), gradients(theirs, sources), dtype)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_those_of_finite_differences(kind, recompute):
    x, states, parameters = case(kind, 3, 2, 3, 2)
    count = len(states)

    def function(x: Tensor, *rest: Tensor):
        return fused(kind, x, rest[:count], rest[count:], recompute)

    assert torch.autograd.gradcheck(function, (x, *states, *parameters))


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("enabled", [False, True])
def test_gates_are_kept_where_a_backward_pass_may_come_and_only_there(kind, enabled, monkeypatch):
    module = importlib.import_module(f"gatedrnn.kernels.{kind}")
    forward, kept = module._forward, []

    def watched(*arguments):
        results = forward(*arguments)
        kept.extend(results[-1])
        return results

    monkeypatch.setattr(module, "_forward", watched)
    x, states, parameters = case(kind, 6, 3, 5, 4)
    with torch.set_grad_enabled(enabled):
        fused(kind, x, states, parameters)
    assert bool(kept) == enabled


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_no_gradient_changes_nothing(kind):
    x, states, parameters = case(kind, 6, 3, 5, 4)
    with torch.no_grad():
        without = fused(kind, x, states, parameters)
    for a, b in zip(without, fused(kind, x, states, parameters), strict=True):
        assert not a.requires_grad
        torch.testing.assert_close(a, b, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize("result", [0, 1])
def test_a_loss_may_read_only_one_result(kind, result):
    x, states, parameters = case(kind, 5, 3, 5, 4)
    sources = [x, *states, *parameters]
    ours = gradients(fused(kind, x, states, parameters)[result : result + 1], sources)
    theirs = gradients(library(kind, x, states, parameters)[result : result + 1], sources)
    assert_equal(ours, theirs, torch.float64)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_backward_twice_with_retain_graph(kind):
    x, states, parameters = case(kind, 5, 3, 5, 4)
    loss = fused(kind, x, states, parameters)[0].square().sum()
    first = torch.autograd.grad(loss, [x, *parameters], retain_graph=True)
    second = torch.autograd.grad(loss, [x, *parameters])
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_second_derivatives_are_refused_in_words(kind):
    x, states, parameters = case(kind, 5, 3, 5, 4)
    loss = fused(kind, x, states, parameters)[0].square().sum()
    (dx,) = torch.autograd.grad(loss, [x], create_graph=True)
    theirs = library(kind, x, states, parameters)[0].square().sum()
    torch.testing.assert_close(dx, torch.autograd.grad(theirs, [x])[0], rtol=0, atol=1e-10)
    with pytest.raises(RuntimeError, match="first derivatives only.*backend='plain'"):
        dx.sum().backward()


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_writing_into_the_outputs_before_the_backward_pass_is_noticed(kind):
    x, states, parameters = case(kind, 5, 3, 5, 4)
    outputs = fused(kind, x, states, parameters)[0]
    outputs.detach().zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


@pytest.mark.parametrize(
    ("kind", "recompute", "expected"),
    [("gru", False, 5), ("gru", True, 1), ("lstm", False, 6), ("lstm", True, 2)],
)
def test_values_kept_for_the_backward_pass(kind, recompute, expected):
    T, B, D, H = 20, 8, 6, 16
    x, states, parameters = case(kind, T, B, D, H)
    given = {t.untyped_storage().data_ptr() for t in (x, *states, *parameters)}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in given:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        fused(kind, x, states, parameters, recompute)
    assert sum(kept.values()) / (T * B * H * 8) == expected


def test_tiles_cover_all_steps_once_in_order():
    step = common.TILE_BYTES // 4
    assert list(common.tiles(10, step)) == [(0, 4), (4, 8), (8, 10)]
    assert list(common.tiles(3, 100 * step)) == [(0, 1), (1, 2), (2, 3)]
    assert list(common.tiles(5, 1)) == [(0, 5)]


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_no_two_gradients_share_memory(kind):
    # Scaling one gradient in place, as clipping does, must not scale another.
    x, states, parameters = case(kind, 5, 3, 5, 4)
    found = torch.autograd.grad(fused(kind, x, states, parameters)[0].sum(), parameters)
    before = [gradient.clone() for gradient in found]
    found[-1].zero_()
    for gradient, expected in zip(found[:-1], before[:-1], strict=True):
        assert torch.equal(gradient, expected)
