"""What the text says of the cells, for any sizes and any arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatedrnn import equations

from .helpers import random_params

SIZES = {name: st.integers(1, 6) for name in ("B", "T", "D", "H")}
SEED = st.integers(0, 2**32 - 1)
GRU_UNROLLS = (equations.gru_unroll, equations.gru_unroll_reset_before)
GRU_STEPS = (equations.gru_step, equations.gru_step_reset_before)


def draw(seed, kind, B, T, D, H):
    rng = np.random.default_rng(seed)
    params = random_params(rng, kind, D, H)
    return rng.normal(size=(B, T, D)) * 3, rng.normal(size=(B, H)) * 2, params


@given(seed=SEED, **SIZES)
def test_the_state_of_a_gru_is_bounded(seed, **sizes):
    x, h0, params = draw(seed, "gru", **sizes)
    bound = np.maximum(1, np.abs(h0))[:, None]
    for unroll in GRU_UNROLLS:
        assert (np.abs(unroll(x, h0, params)[0]) <= bound + 1e-12).all()


@given(seed=SEED, **SIZES)
def test_the_gates_lie_between_zero_and_one_with_one_value_for_each_unit(seed, **sizes):
    x, h0, params = draw(seed, "gru", **sizes)
    for gates in (equations.gru_gates, equations.gru_gates_reset_before):
        r, z, n = gates(x[:, 0], h0, params)
        assert r.shape == z.shape == n.shape == h0.shape
        assert ((r > 0) & (r < 1) & (z > 0) & (z < 1) & (np.abs(n) <= 1)).all()


@pytest.mark.equation("eq-gru-h")
@given(seed=SEED, reset=st.sampled_from([-500.0, 0.0, 500.0]), **SIZES)
def test_an_update_gate_of_one_keeps_the_state_whatever_the_reset_gate_is(seed, reset, **sizes):
    x, h0, params = draw(seed, "gru", **sizes)
    H = sizes["H"]
    params["b_ih"][:H] = reset
    params["b_ih"][H : 2 * H] = 500
    for unroll in GRU_UNROLLS:
        outputs, last = unroll(x, h0, params)
        np.testing.assert_allclose(last, h0, rtol=0, atol=1e-14)
        np.testing.assert_allclose(outputs[:, 0], h0, rtol=0, atol=1e-14)


@given(seed=SEED, **SIZES)
def test_both_gates_at_zero_start_afresh(seed, **sizes):
    x, h0, params = draw(seed, "gru", **sizes)
    H = sizes["H"]
    params["b_ih"][: 2 * H] = -500
    params["b_hh"][2 * H :] = 0  # outside r in the form with the reset before the product
    fresh = np.tanh(x[:, 0] @ params["W_ih"][2 * H :].T + params["b_ih"][2 * H :])
    for step in GRU_STEPS:
        np.testing.assert_allclose(step(x[:, 0], h0, params), fresh, rtol=0, atol=1e-14)


@pytest.mark.equation("eq-gru-n")
@given(seed=SEED, **SIZES)
def test_with_the_reset_gate_at_zero_the_recurrent_bias_of_the_candidate_vanishes(seed, **sizes):
    x, h0, params = draw(seed, "gru", **sizes)
    H = sizes["H"]
    params["b_ih"][: 2 * H] = -500
    fresh = np.tanh(x[:, 0] @ params["W_ih"][2 * H :].T + params["b_ih"][2 * H :])
    got = equations.gru_step(x[:, 0], h0, params)
    np.testing.assert_allclose(got, fresh, rtol=0, atol=1e-14)


@pytest.mark.equation("eq-gru-n", "eq-gru-n-before", "eq-gru-h")
@given(seed=SEED, **SIZES)
def test_a_reset_gate_of_one_and_an_update_gate_of_zero_give_a_plain_network(seed, **sizes):
    x, h0, params = draw(seed, "gru", **sizes)
    H = sizes["H"]
    params["b_ih"][:H], params["b_ih"][H : 2 * H] = 500, -500
    plain = {name: value[2 * H :] for name, value in params.items()}
    expected, _ = equations.rnn_unroll(x, h0, plain)
    for unroll in GRU_UNROLLS:
        np.testing.assert_allclose(unroll(x, h0, params)[0], expected, rtol=0, atol=1e-13)


@pytest.mark.equation("eq-lstm-step")
@given(seed=SEED, **SIZES)
def test_an_lstm_that_forgets_nothing_and_takes_nothing_keeps_its_cell(seed, **sizes):
    x, h0, params = draw(seed, "lstm", **sizes)
    H = sizes["H"]
    params["b_ih"][:H], params["b_ih"][H : 2 * H] = -500, 500
    _, (_, c) = equations.lstm_unroll(x, (h0, 2 * h0), params)
    np.testing.assert_allclose(c, 2 * h0, rtol=0, atol=1e-14)


@given(seed=SEED, kind=st.sampled_from(["rnn", "gru"]), **SIZES)
def test_the_order_of_the_batch_changes_nothing(seed, kind, **sizes):
    x, h0, params = draw(seed, kind, **sizes)
    order = np.random.default_rng(seed).permutation(sizes["B"])
    unroll = getattr(equations, f"{kind}_unroll")
    outputs, _ = unroll(x, h0, params)
    reordered, _ = unroll(x[order], h0[order], params)
    np.testing.assert_allclose(reordered, outputs[order], rtol=0, atol=1e-13)


@given(seed=SEED, kind=st.sampled_from(["rnn", "gru"]), cut=st.integers(1, 5), **SIZES)
def test_a_sequence_may_be_cut_and_its_state_carried_over(seed, kind, cut, **sizes):
    sizes["T"] += cut
    x, h0, params = draw(seed, kind, **sizes)
    unroll = getattr(equations, f"{kind}_unroll")
    whole, _ = unroll(x, h0, params)
    first, h = unroll(x[:, :cut], h0, params)
    second, _ = unroll(x[:, cut:], h, params)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=0, atol=1e-13)
