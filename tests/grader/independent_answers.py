"""Answers to the unit on the plain recurrent network, each written for itself: nobody copied.

They are right or nearly right, and differ as people's code does: in names, order, loops or einsum,
helpers or none.
"""

ANSWERS = {
    "amina": '''
def rnn_step(x, h, params):
    """Return the next state (B, H) from the input x (B, D), the old state h (B, H) and params."""
    W, U = params["W_ih"], params["W_hh"]
    return np.tanh(x @ W.T + h @ U.T + params["b_ih"] + params["b_hh"])


def rnn_forward(x, h0, params):
    batch, steps, _ = x.shape
    result = np.empty((batch, steps, h0.shape[1]))
    state = h0
    for step in range(steps):
        state = rnn_step(x[:, step, :], state, params)
        result[:, step, :] = state
    return result, state


def rnn_backward(doutputs, x, h0, params):
    batch, steps, features = x.shape
    states, _ = rnn_forward(x, h0, params)
    dW = np.zeros(params["W_ih"].shape)
    dU = np.zeros(params["W_hh"].shape)
    db = np.zeros(params["b_ih"].shape)
    dx = np.zeros(x.shape)
    carry = np.zeros(h0.shape)
    for step in range(steps - 1, -1, -1):
        total = doutputs[:, step, :] + carry
        before = (1 - states[:, step, :] ** 2) * total
        previous = h0 if step == 0 else states[:, step - 1, :]
        dW += before.T @ x[:, step, :]
        dU += before.T @ previous
        db += before.sum(axis=0)
        dx[:, step, :] = before @ params["W_ih"]
        carry = before @ params["W_hh"]
    return {"x": dx, "h0": carry, "W_ih": dW, "W_hh": dU, "b_ih": db, "b_hh": db.copy()}


def clip_by_global_norm(grads, max_norm):
    total = 0.0
    for g in grads.values():
        if g is not None:
            total += float(np.sum(g * g))
    norm = total ** 0.5
    if norm <= max_norm:
        return dict(grads), norm
    return {k: (g if g is None else g / norm * max_norm) for k, g in grads.items()}, norm
''',
    "boris": '''
def rnn_step(x, h, params):
    """Return the next state (B, H) from the input x (B, D), the old state h (B, H) and params."""
    a = np.einsum("bd,hd->bh", x, params["W_ih"])
    a = a + np.einsum("bk,hk->bh", h, params["W_hh"])
    a = a + params["b_ih"]
    a = a + params["b_hh"]
    return np.tanh(a)


def rnn_forward(x, h0, params):
    hs = [h0]
    for xt in np.moveaxis(x, 1, 0):
        hs.append(rnn_step(xt, hs[-1], params))
    return np.moveaxis(np.array(hs[1:]), 0, 1), hs[-1]


def rnn_backward(doutputs, x, h0, params):
    out, last = rnn_forward(x, h0, params)
    all_h = np.concatenate([h0[:, None], out], axis=1)
    T = x.shape[1]
    da = np.zeros_like(out)
    dh = np.zeros_like(last)
    for t in range(T)[::-1]:
        dh = dh + doutputs[:, t]
        da[:, t] = dh - dh * out[:, t] * out[:, t]
        dh = np.dot(da[:, t], params["W_hh"])
    d = {}
    d["W_ih"] = np.einsum("bth,btd->hd", da, x)
    d["W_hh"] = np.einsum("bth,btk->hk", da, all_h[:, :-1])
    d["b_ih"] = da.sum((0, 1))
    d["b_hh"] = da.sum((0, 1))
    d["x"] = da @ params["W_ih"]
    d["h0"] = dh
    return d


def truncated_bptt_grads(doutputs, x, h0, params, k):
    pieces = []
    h = h0
    T = x.shape[1]
    t = 0
    while t < T:
        piece = rnn_backward(doutputs[:, t:t + k], x[:, t:t + k], h, params)
        pieces.append(piece)
        _, h = rnn_forward(x[:, t:t + k], h, params)
        t += k
    d = {key: sum(p[key] for p in pieces) for key in params}
    d["x"] = np.concatenate([p["x"] for p in pieces], axis=1)
    d["h0"] = pieces[0]["h0"]
    return d


def clip_by_global_norm(grads, max_norm):
    flat = np.concatenate([np.ravel(v) for v in grads.values() if v is not None])
    n = float(np.linalg.norm(flat))
    scale = min(1.0, max_norm / n) if n > 0 else 1.0
    out = {}
    for name in grads:
        out[name] = None if grads[name] is None else scale * grads[name]
    return out, n
''',
    "chidi": """
def rnn_step(x, h, params):
    # one affine map of both, then the squashing
    both = np.concatenate([x, h], axis=1)
    weight = np.concatenate([params["W_ih"], params["W_hh"]], axis=1)
    return np.tanh(both.dot(weight.T) + (params["b_ih"] + params["b_hh"]))


def rnn_forward(x, h0, params):
    T = x.shape[1]
    outputs = np.zeros((x.shape[0], T, h0.shape[-1]), dtype=h0.dtype)
    outputs[:, 0] = rnn_step(x[:, 0], h0, params)
    for t in range(1, T):
        outputs[:, t] = rnn_step(x[:, t], outputs[:, t - 1], params)
    return outputs, outputs[:, -1].copy()


def _step_back(dh, x, h, new, params):
    d = dh * (1.0 - np.square(new))
    return d, d.dot(params["W_ih"]), d.dot(params["W_hh"]), d.T.dot(x), d.T.dot(h)


def rnn_backward(doutputs, x, h0, params):
    outputs, _ = rnn_forward(x, h0, params)
    grads = dict(x=np.zeros_like(x), W_ih=0, W_hh=0, b_ih=0, b_hh=0)
    dh = 0
    t = x.shape[1]
    while t > 0:
        t -= 1
        old = outputs[:, t - 1] if t else h0
        d, dx, dnext, dw, du = _step_back(doutputs[:, t] + dh, x[:, t], old, outputs[:, t], params)
        grads["x"][:, t] = dx
        grads["W_ih"] = grads["W_ih"] + dw
        grads["W_hh"] = grads["W_hh"] + du
        grads["b_ih"] = grads["b_ih"] + d.sum(0)
        grads["b_hh"] = grads["b_hh"] + d.sum(0)
        dh = dnext
    grads["h0"] = dh
    return grads


def clip_by_global_norm(grads, max_norm):
    squares = [np.square(g).sum() for g in grads.values() if g is not None]
    norm = float(np.sqrt(np.sum(squares)))
    if norm > max_norm:
        ratio = max_norm / norm
        grads = {name: None if g is None else ratio * g for name, g in grads.items()}
    return grads, norm
""",
    "delia": '''
def affine(v, W, b):
    return np.matmul(v, W.transpose()) + b


def rnn_step(x, h, params):
    """Return the next state (B, H) from the input x (B, D), the old state h (B, H) and params."""
    pre = affine(x, params["W_ih"], params["b_ih"])
    pre += affine(h, params["W_hh"], params["b_hh"])
    return np.tanh(pre)


def rnn_forward(x, h0, params):
    h = h0.copy()
    collected = []
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params)
        collected += [h[:, np.newaxis, :]]
    return np.concatenate(collected, 1), h


def rnn_backward(doutputs, x, h0, params):
    B, T, D = x.shape
    H = h0.shape[1]
    Wx, Wh = params["W_ih"], params["W_hh"]
    hs, _ = rnn_forward(x, h0, params)
    gWx, gWh, gb = np.zeros((H, D)), np.zeros((H, H)), np.zeros(H)
    gx, gh = np.zeros((B, T, D)), np.zeros((B, H))
    for i in range(T):
        t = T - 1 - i
        h_now = hs[:, t]
        if t > 0:
            h_before = hs[:, t - 1]
        else:
            h_before = h0
        g = (gh + doutputs[:, t]) * (1 - h_now * h_now)
        gb = gb + g.sum(0)
        for b in range(B):
            gWx += np.outer(g[b], x[b, t])
            gWh += np.outer(g[b], h_before[b])
        gx[:, t] = np.matmul(g, Wx)
        gh = np.matmul(g, Wh)
    return dict(x=gx, h0=gh, W_ih=gWx, W_hh=gWh, b_ih=gb, b_hh=gb)


def truncated_bptt_grads(doutputs, x, h0, params, k):
    T = x.shape[1]
    out = None
    h = h0
    for first in range(0, T, k):
        part = slice(first, min(first + k, T))
        new = rnn_backward(doutputs[:, part], x[:, part], h, params)
        states, h = rnn_forward(x[:, part], h, params)
        if out is None:
            out = new
            continue
        for name in params:
            out[name] = out[name] + new[name]
        out["x"] = np.concatenate((out["x"], new["x"]), axis=1)
    return out
''',
    "emil": """
def rnn_step(x, h, params):
    W_ih, W_hh, b_ih, b_hh = (params[k] for k in ("W_ih", "W_hh", "b_ih", "b_hh"))
    return np.tanh((x @ W_ih.T) + (b_ih) + (h @ W_hh.T) + (b_hh))


def rnn_forward(x, h0, params):
    def steps():
        h = h0
        for t in range(x.shape[1]):
            h = rnn_step(x[:, t], h, params)
            yield h

    hs = list(steps())
    return np.stack(hs, 1), hs[-1]


def rnn_backward(doutputs, x, h0, params):
    hs, _ = rnn_forward(x, h0, params)
    g = {k: np.zeros_like(v) for k, v in params.items()}
    g["x"] = np.zeros_like(x)
    dh = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        dh = dh + doutputs[:, t]
        da = dh * (1 - hs[:, t] ** 2)
        g["W_ih"] += da.T @ x[:, t]
        g["W_hh"] += da.T @ (hs[:, t - 1] if t > 0 else h0)
        g["b_ih"] += da.sum(0)
        g["b_hh"] += da.sum(0)
        g["x"][:, t] = da @ params["W_ih"]
        dh = da @ params["W_hh"]
    g["h0"] = dh
    return g


def clip_by_global_norm(grads, max_norm):
    norm = np.sqrt(sum(np.sum(np.square(v)) for v in grads.values() if v is not None)).item()
    if not norm > max_norm:
        return {k: v for k, v in grads.items()}, norm
    return {k: v * (max_norm / norm) if v is not None else None for k, v in grads.items()}, norm
""",
}
