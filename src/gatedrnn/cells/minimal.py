"""minGRU and minLSTM: gates that see the input alone, so that steps can be joined in any order.

They are not faster forms of the GRU and the LSTM but weaker functions: a gate cannot depend on
what was read before, and each unit is a weighted mean of its candidates and its initial value, the
weights chosen from each input alone. One layer cannot, for instance, follow the parity of a long
sequence of bits (Merrill et al. 2024, arXiv 2404.08819).

In the book's convention z keeps the old state (the paper's z is 1 - z here). minGRU::

    z = sigmoid(W_z x + b_z),  n = W_n x + b_n,  h' = z * h + (1 - z) * n

minLSTM, with both gates divided by their sum::

    f = sigmoid(W_f x + b_f),  i = sigmoid(W_i x + b_i),  n = W_n x + b_n
    h' = (f * h + i * n) / (f + i)

That is the same recurrence, for f / (f + i) = sigmoid(log f - log i): the cells differ only in the
logits of what they keep.
With ``positive`` the candidate is g(a) = a + 1/2 for a >= 0 and sigmoid(a) below, as the paper has
it for its scan in log space; then every state is positive, and so is the initial one.

Shapes: B batch, T time, D input, H hidden; blocks z, n in the minGRU, f, i, n in the minLSTM.
Source: Feng et al. 2024, arXiv 2410.01201, sections 3.1 to 3.3 and appendix B.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.minimal import mix_fused
from ..kernels.scan import scan_doubling, scan_log, scan_log_cumulative
from .checks import check_features, check_is_tensor, check_same_dtype, check_shape

METHODS = ("steps", "fused", "doubling", "log", "log-cumulative")


def mingru_step(
    x: Tensor, h: Tensor, W: Tensor, b: Tensor | None = None, positive: bool = False
) -> Tensor:
    """One step of a minGRU, z keeping the old state.

    Takes x (B, D), h (B, H), W (2*H, D) and b (2*H,), blocks z, n; returns the next state (B, H).
    Source: Feng et al. 2024, arXiv 2410.01201, section 3.1.
    """
    z, n = F.linear(x, W, b).chunk(2, dim=-1)
    return _mix(torch.sigmoid(z), _candidate(n, positive), h)


def minlstm_step(
    x: Tensor, h: Tensor, W: Tensor, b: Tensor | None = None, positive: bool = False
) -> Tensor:
    """One step of a minLSTM, its gates normalised to f + i = 1.

    Takes x (B, D), h (B, H), W (3*H, D) and b (3*H,), blocks f, i, n; returns the next state
    (B, H).
    Source: Feng et al. 2024, arXiv 2410.01201, section 3.2.
    """
    f, i, n = F.linear(x, W, b).chunk(3, dim=-1)
    return _mix(torch.sigmoid(F.logsigmoid(f) - F.logsigmoid(i)), _candidate(n, positive), h)


class _Minimal(nn.Module):
    """Parameters, checks and the choice of method, common to both."""

    blocks: int  # affine maps stacked in the weight
    bias_ih: nn.Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        batch_first: bool = False,
        positive: bool = False,
        method: str = "steps",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(size, int) or size <= 0:
                raise ValueError(f"expected {name} to be a whole number above zero, got {size!r}")
        if method not in METHODS:
            raise ValueError(f"expected method to be one of {', '.join(METHODS)}, got {method!r}")
        if method.startswith("log") and not positive:
            raise ValueError(
                f"method={method!r} takes logarithms of the candidate, so it needs positive=True"
            )
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.batch_first, self.positive, self.method = batch_first, positive, method
        rows = self.blocks * hidden_size
        empty = torch.empty(rows, input_size, device=device, dtype=dtype)
        self.weight_ih = nn.Parameter(empty)
        self.register_parameter("bias_ih", nn.Parameter(empty.new_empty(rows)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every weight and bias from U(-1/sqrt(D), 1/sqrt(D)), as a linear layer does."""
        bound = 1 / math.sqrt(self.input_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes and the method."""
        return f"{self.input_size}, {self.hidden_size}, method={self.method}"

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run over a batch of sequences.

        Takes input (T, B, D), with ``batch_first`` (B, T, D), and the initial state (1, B, H), as
        a GRU with one layer does; left out it is zero.
        Returns the outputs, like the input with H features, and the final state (1, B, H).
        Raises AttributeError, RuntimeError or ValueError for an argument that does not fit, and
        ValueError for an initial state that is not positive where ``positive`` needs it.
        """
        self._check(input, hx)
        x = input.transpose(0, 1) if self.batch_first else input
        logits, n = self._keep_logits_and_candidate(F.linear(x, self.weight_ih, self.bias_ih))
        h0 = None if hx is None else hx[0]
        if self.method.startswith("log"):
            states = self._by_logarithms(logits, n, h0)
        else:
            zero = x.new_zeros(x.shape[1], self.hidden_size)
            states = self._by_values(
                logits, _candidate(n, self.positive), zero if h0 is None else h0
            )
        outputs = states.transpose(0, 1) if self.batch_first else states
        return outputs, states[-1:]

    def _by_values(self, logits: Tensor, n: Tensor, h0: Tensor) -> Tensor:
        if self.method == "fused":
            return mix_fused(logits, n, h0)
        z = torch.sigmoid(logits)
        if self.method == "doubling":
            return scan_doubling(z, (1 - z) * n, h0)
        h, states = h0, []
        for z_t, n_t in zip(z.unbind(0), n.unbind(0), strict=True):
            h = _mix(z_t, n_t, h)
            states.append(h)
        return torch.stack(states)

    def _by_logarithms(self, logits: Tensor, n: Tensor, h0: Tensor | None) -> Tensor:
        scan = scan_log if self.method == "log" else scan_log_cumulative
        log_b = F.logsigmoid(-logits) + _log_candidate(n)
        # The initial state enters as it is: it is a state, not a candidate, so g is not for it.
        return scan(F.logsigmoid(logits), log_b, None if h0 is None else h0.log()).exp()

    def _keep_logits_and_candidate(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _check(self, input: Any, hx: Any) -> None:
        owner = type(self).__name__
        check_is_tensor(owner, "input", input)
        if input.dim() != 3:
            raise ValueError(f"{owner}: expected input to be 3D, got {input.dim()}D")
        check_features("input", input, "input_size", self.input_size)
        check_same_dtype("input", input, self.weight_ih)
        time, batch = (1, 0) if self.batch_first else (0, 1)
        if input.shape[time] == 0:
            raise ValueError(f"{owner}: expected at least one time step, got none")
        if hx is None:
            return
        check_is_tensor(owner, "hx", hx)
        check_shape("hx", hx, (1, input.shape[batch], self.hidden_size))
        check_same_dtype("hx", hx, self.weight_ih)
        if self.method.startswith("log") and not bool((hx > 0).all()):
            raise ValueError(
                f"{owner}: method={self.method!r} takes the logarithm of the initial state, so "
                "expected all of hx above zero; leave hx out to begin from zero"
            )


class MinGRU(_Minimal):
    """minGRU over sequences: h' = z * h + (1 - z) * n, neither z nor n seeing h.

    ``method`` is how: "steps" one after the other, "fused" the same with a hand-derived backward
    pass, "doubling" in log2(T) passes; and, with ``positive``, "log" in log2(T) passes over
    logarithms, and "log-cumulative" by the published formula.
    Raises ValueError for an option that does not exist.
    Source: Feng et al. 2024, arXiv 2410.01201, section 3.1.
    """

    blocks = 2

    def _keep_logits_and_candidate(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        z, n = projected.chunk(2, dim=-1)
        return z, n


class MinLSTM(_Minimal):
    """minLSTM over sequences: h' = (f * h + i * n) / (f + i), no gate seeing h; methods as minGRU.

    Raises ValueError for an option that does not exist.
    Source: Feng et al. 2024, arXiv 2410.01201, section 3.2.
    """

    blocks = 3

    def _keep_logits_and_candidate(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        f, i, n = projected.chunk(3, dim=-1)
        # log f - log i, so that nothing is divided by f + i when both have underflowed.
        return F.logsigmoid(f) - F.logsigmoid(i), n


def _mix(z: Tensor, n: Tensor, h: Tensor) -> Tensor:
    return z * h + (1 - z) * n


def _candidate(a: Tensor, positive: bool) -> Tensor:
    return torch.where(a >= 0, a + 0.5, torch.sigmoid(a)) if positive else a


def _log_candidate(a: Tensor) -> Tensor:
    # The branch that is not taken must be finite too, or its gradient is 0 * infinity.
    return torch.where(a >= 0, torch.log(F.relu(a) + 0.5), F.logsigmoid(a))
