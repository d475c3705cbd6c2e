"""Routes of the gradient through a GRU, against autograd with one copy of h for each place."""

import numpy as np
import pytest
import torch

from gatedrnn.analysis.routes import ROUTES, gru_norms_along, gru_route_norms, gru_routes
from gatedrnn.equations import gru_backward, gru_step_backward


def draw(seed, B=3, T=6, D=2, H=4):
    rng = np.random.default_rng(seed)
    shapes = {"W_ih": (3 * H, D), "W_hh": (3 * H, H), "b_ih": (3 * H,), "b_hh": (3 * H,)}
    params = {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}
    return rng.normal(size=(B, H)), rng.normal(size=(B, T, D)), rng.normal(size=(B, H)), params


def torch_step(x, copies, params):
    """One step of the GRU that reads the old state in four places, a copy of it in each."""
    W_ir, W_iz, W_in = torch.tensor(params["W_ih"]).chunk(3)
    W_hr, W_hz, W_hn = torch.tensor(params["W_hh"]).chunk(3)
    b_ir, b_iz, b_in = torch.tensor(params["b_ih"]).chunk(3)
    b_hr, b_hz, b_hn = torch.tensor(params["b_hh"]).chunk(3)
    r = torch.sigmoid(x @ W_ir.T + b_ir + copies["r"] @ W_hr.T + b_hr)
    z = torch.sigmoid(x @ W_iz.T + b_iz + copies["z"] @ W_hz.T + b_hz)
    n = torch.tanh(x @ W_in.T + b_in + r * (copies["n"] @ W_hn.T + b_hn))
    return (1 - z) * n + z * copies["direct"]


@pytest.mark.equation("eq-gru-routes")
@pytest.mark.parametrize("seed", range(3))
def test_each_route_is_the_gradient_of_its_own_copy_of_the_state(seed):
    dh_next, x, h, params = draw(seed)
    copies = {name: torch.tensor(h, requires_grad=True) for name in ROUTES}
    (torch.tensor(dh_next) * torch_step(torch.tensor(x[:, 0]), copies, params)).sum().backward()
    routes = gru_routes(dh_next, x[:, 0], h, params)
    assert tuple(routes) == ROUTES
    for name in ROUTES:
        np.testing.assert_allclose(routes[name], copies[name].grad, rtol=1e-11, err_msg=name)
    whole = gru_step_backward(dh_next, x[:, 0], h, params)["h"]
    np.testing.assert_allclose(sum(routes.values()), whole, rtol=1e-10)


def confined_by_autograd(dh_T, x, h0, params, open_routes):
    """Norms of the gradient at every lag when the other copies of each state are constants."""
    states = [torch.tensor(h0, requires_grad=True)]
    for t in range(x.shape[1]):
        h = states[-1]
        copies = {name: h if name in open_routes else h.detach() for name in ROUTES}
        states.append(torch_step(torch.tensor(x[:, t]), copies, params))
    grads = torch.autograd.grad((torch.tensor(dh_T) * states[-1]).sum(), states)
    return [float(torch.linalg.norm(g)) for g in reversed(grads)]


@pytest.mark.equation("eq-gru-routes")
@pytest.mark.parametrize("open_routes", [("direct",), ("n",), ("direct", "n"), ("z", "r"), ROUTES])
def test_confined_gradients_are_autograd_with_the_other_routes_detached(open_routes):
    inputs = draw(5)
    expected = confined_by_autograd(*inputs, open_routes)
    np.testing.assert_allclose(gru_norms_along(*inputs, open_routes), expected, rtol=1e-10)


def test_the_whole_walk_ends_with_the_gradient_of_h0():
    dh_T, x, h0, params = draw(6)
    norms = gru_route_norms(dh_T, x, h0, params)
    none = np.zeros((*x.shape[:2], h0.shape[1]))
    dh0 = gru_backward(none, x, h0, params, dh_T=dh_T)["h0"]
    assert norms["total"][-1] == pytest.approx(np.linalg.norm(dh0), rel=1e-10)
    np.testing.assert_allclose(norms["total"], gru_norms_along(dh_T, x, h0, params, ROUTES)[1:])


def test_norms_by_lag_are_those_of_the_parts_of_each_step():
    dh, x, h0, params = draw(7, T=2)
    h1 = torch_step(torch.tensor(x[:, 0]), dict.fromkeys(ROUTES, torch.tensor(h0)), params).numpy()
    norms = gru_route_norms(dh, x, h0, params)
    for lag, (x_t, h) in enumerate([(x[:, 1], h1), (x[:, 0], h0)]):
        parts = gru_routes(dh, x_t, h, params)
        for name in ROUTES:
            assert norms[name][lag] == pytest.approx(np.linalg.norm(parts[name]), rel=1e-10)
        dh = gru_step_backward(dh, x_t, h, params)["h"]


def test_an_unknown_route_is_refused():
    with pytest.raises(ValueError, match="direct, z, r, n, but 'x' was asked for"):
        gru_norms_along(*draw(1), routes=("direct", "x"))
