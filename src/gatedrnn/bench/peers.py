"""The competitors outside PyTorch; those of the optional extra ``bench`` only where installed."""

import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatedrnn import equations
from gatedrnn.bench.case import Case, Competitor
from gatedrnn.cells.weights import convert
from gatedrnn.kernels import gru_numpy


def numpy_equations(case: Case) -> Competitor:
    """The equations as the text writes them, one step after the other."""
    x, dout = (v.cpu().numpy().swapaxes(0, 1).copy() for v in (case.x, case.dout))
    h0 = np.zeros((case.size.B, case.size.H), x.dtype)
    params = case.arrays()
    if case.cell == "lstm":
        state = (h0, h0)
        return Competitor(
            "NumPy, as in the text",
            lambda: equations.lstm_unroll(x, state, params)[0].swapaxes(0, 1),
            lambda: equations.lstm_backward(dout, x, state, params)["W_hh"],
        )
    return Competitor(
        "NumPy, as in the text",
        lambda: equations.gru_unroll(x, h0, params)[0].swapaxes(0, 1),
        lambda: equations.gru_backward(dout, x, h0, params)["W_hh"],
    )


def numpy_fused(case: Case) -> Competitor:
    """The same derivation with the products taken out of the loop."""
    x, dout = (v.cpu().numpy().swapaxes(0, 1).copy() for v in (case.x, case.dout))
    h0 = np.zeros((case.size.B, case.size.H), x.dtype)
    params = case.arrays()

    def training() -> np.ndarray:
        _, kept = gru_numpy.gru_forward(x, h0, params)
        return gru_numpy.gru_backward(dout, kept, params, with_x=False)["W_hh"]

    return Competitor(
        "NumPy, fused",
        lambda: gru_numpy.gru_forward(x, h0, params)[0].swapaxes(0, 1),
        training,
    )


def jax_scan(case: Case) -> Competitor:
    """JAX: the GRU as ``lax.scan``, compiled."""
    import time

    import jax
    import jax.numpy as jnp

    x, dout = (jnp.asarray(v.cpu().numpy()) for v in (case.x, case.dout))
    h0 = jnp.zeros((case.size.B, case.size.H), x.dtype)
    params = {name: jnp.asarray(value) for name, value in case.arrays().items()}

    def run(params: dict[str, Any], x: Any) -> Any:
        projected = x @ params["W_ih"].T + params["b_ih"]

        def step(h: Any, projected_t: Any) -> tuple[Any, Any]:
            x_r, x_z, x_n = jnp.split(projected_t, 3, axis=-1)
            h_r, h_z, h_n = jnp.split(h @ params["W_hh"].T + params["b_hh"], 3, axis=-1)
            r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
            n = jnp.tanh(x_n + r * h_n)
            h = (1 - z) * n + z * h
            return h, h

        return jax.lax.scan(step, h0, projected)[1]

    forward = jax.jit(run)
    gradient = jax.jit(jax.grad(lambda params, x: (run(params, x) * dout).sum()))
    start = time.perf_counter()
    jax.block_until_ready((forward(params, x), gradient(params, x)))
    seconds = time.perf_counter() - start
    return Competitor(
        "JAX, lax.scan",
        lambda: jax.block_until_ready(forward(params, x)),
        lambda: jax.block_until_ready(gradient(params, x))["W_hh"],
        compile_seconds=seconds,
    )


def onnx_runtime(case: Case) -> Competitor:
    """ONNX Runtime: its own operator, forward only."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    T, B, D, H = case.size.T, case.size.B, case.size.D, case.size.H
    weights = convert(case.arrays(), "pytorch", "onnx")
    options: dict[str, Any] = {"linear_before_reset": 1} if case.cell == "gru" else {}
    node = helper.make_node(
        case.cell.upper(), ["x", "W", "R", "B"], ["outputs"], hidden_size=H, **options
    )
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [T, B, D])],
        [helper.make_tensor_value_info("outputs", TensorProto.FLOAT, [T, 1, B, H])],
        [numpy_helper.from_array(np.ascontiguousarray(weights[n]), n) for n in ("W", "R", "B")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    x = case.x.cpu().numpy()
    return Competitor("ONNX Runtime", lambda: session.run(["outputs"], {"x": x})[0].squeeze(1))


def keras_on_torch(case: Case) -> Competitor:
    """Keras with PyTorch below: its own loop over time on a CPU, cuDNN on a GPU."""
    import keras

    layers = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
    layer = layers[case.cell](case.size.H, return_sequences=True)
    x, dout = (v.transpose(0, 1).contiguous() for v in (case.x, case.dout))
    layer.build(tuple(x.shape))
    layer.set_weights(list(convert(case.arrays(), "pytorch", "keras").values()))
    variables = [v.value for v in layer.trainable_weights]

    @torch.no_grad()
    def forward() -> Tensor:
        return layer(x).transpose(0, 1)

    def training() -> np.ndarray:
        for variable in variables:
            variable.grad = None
        layer(x).backward(dout)
        names = [v.name for v in layer.trainable_weights]
        gradients = {
            name: v.grad.detach().cpu().numpy() for name, v in zip(names, variables, strict=True)
        }
        return convert(gradients, "keras", "pytorch")["W_hh"]

    return Competitor("Keras on PyTorch", forward, training)


# What a peer needs to be installed.
_NEEDS: dict[Callable[[Case], Competitor], tuple[str, ...]] = {
    jax_scan: ("jax",),
    onnx_runtime: ("onnx", "onnxruntime"),
    keras_on_torch: ("keras",),
}


def missing(build: Callable[[Case], Competitor]) -> str | None:
    """Why a peer cannot take part here, or None."""
    absent = [name for name in _NEEDS.get(build, ()) if find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} is not installed (pip install 'gatedrnn[bench]')"
    if build is keras_on_torch and os.environ.get("KERAS_BACKEND") != "torch":
        return "KERAS_BACKEND is not torch"
    return None
