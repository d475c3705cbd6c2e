"""The four routes by which a gradient goes back through one step of a GRU, and their sizes.

Reset after the product. The new state h' = (1 - z) * n + z * h reads the old state h in four
places: directly, and inside z, r and n. What each of them sends back is one route; the four add
up to dL/dh.
Shapes: x (B, T, D), h0 (B, H); the parameters are those of one GRU layer.
"""

from collections.abc import Collection, Iterator

import numpy as np

from gatedrnn.equations import gru_gate_gradients, gru_gates, gru_unroll

Array = np.ndarray
Params = dict[str, Array]
ROUTES = ("direct", "z", "r", "n")


def gru_routes(dh_next: Array, x: Array, h: Array, params: Params) -> dict[str, Array]:
    """The four parts of dL/dh in one step of a GRU, by their route; they add up to it.

    Equation ``eq-gru-routes``.
    Takes dh_next (B, H), x (B, D), h (B, H); returns arrays (B, H) under ``direct``, ``z``, ``r``
    and ``n``.
    Raises ValueError when a shape does not fit.
    """
    r, z, n = gru_gates(x, h, params)
    W_hr, W_hz, W_hn = np.split(params["W_hh"], 3)
    h_n = h @ W_hn.T + np.split(params["b_hh"], 3)[2]
    _, da_state, direct = gru_gate_gradients(dh_next, h, r, z, n, h_n)
    da_r, da_z, da_hn = np.split(da_state, 3, axis=-1)
    through = {"z": da_z @ W_hz, "r": da_r @ W_hr, "n": da_hn @ W_hn}
    return {"direct": direct, **through}


def gru_route_norms(dh_T: Array, x: Array, h0: Array, params: Params) -> dict[str, Array]:
    """Norm of what each route passes on at each lag, while the whole gradient walks back.

    Takes dh_T (B, H), the gradient of the loss with respect to the last state; returns arrays (T,)
    for the four routes and their sum, ``total``.
    Entry k belongs to the step from lag k to lag k + 1. The parts add up, and their norms do not.
    """
    parts = list(_walk(dh_T, x, h0, params, ROUTES))
    norms = {name: np.array([np.linalg.norm(part[name]) for part in parts]) for name in ROUTES}
    return {**norms, "total": np.array([np.linalg.norm(sum(part.values())) for part in parts])}


def gru_norms_along(
    dh_T: Array, x: Array, h0: Array, params: Params, routes: Collection[str]
) -> Array:
    """Norm of the gradient at each lag when it may take only the named routes, at every step.

    Takes dh_T (B, H); returns (T + 1,), beginning with the norm of dh_T itself.
    With all four routes it is the norm of dL/dh_{T-k}.
    Raises ValueError for an unknown route.
    """
    unknown = sorted(set(routes).difference(ROUTES))
    if unknown:
        raise ValueError(f"routes are {', '.join(ROUTES)}, but {unknown[0]!r} was asked for.")
    parts = _walk(dh_T, x, h0, params, routes)
    return np.array([np.linalg.norm(g) for g in (dh_T, *(sum(p.values()) for p in parts))])


def _walk(
    dh: Array, x: Array, h0: Array, params: Params, routes: Collection[str]
) -> Iterator[dict[str, Array]]:
    """What the named routes pass on at each step, from the last; their sum walks on."""
    outputs, _ = gru_unroll(x, h0, params)
    before = np.concatenate([h0[:, None], outputs[:, :-1]], axis=1)
    for t in reversed(range(x.shape[1])):
        every = gru_routes(dh, x[:, t], before[:, t], params)
        parts = {name: every[name] for name in routes}
        yield parts
        dh = np.sum(list(parts.values()), axis=0)
