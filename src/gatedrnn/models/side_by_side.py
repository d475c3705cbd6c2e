"""Train several networks of one shape at once: same variant, each with weights of its own.

A step of a small network costs mostly the calling of many small operations. Stacked along a leading
axis, S networks share each call and nothing else: their gradients, their clipping and their
optimiser states are their own, so each ends as it would alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gatedrnn.cells.variants import VariantLayer, run_variant


class VariantModel(nn.Module):
    """One layer of a variant and a linear readout."""

    def __init__(self, variant: str, input_size: int, hidden_size: int, outputs: int) -> None:
        super().__init__()
        self.layer = VariantLayer(variant, input_size, hidden_size)
        self.readout = nn.Linear(hidden_size, outputs)


def run_side_by_side(models: Sequence[VariantModel], x: Tensor, last_only: bool = False) -> Tensor:
    """Run S models of one variant and one size at once.

    Takes x (B, T, D), read by all, or (S, B, T, D), one batch for each.
    Returns the readouts (S, B, T, O), or of the last state alone, (S, B, O).
    """
    layers = [dict(model.layer.named_parameters()) for model in models]
    weights = {name: torch.stack([layer[name] for layer in layers]) for name in layers[0]}
    outputs, state = run_variant(models[0].layer.name, x, weights)
    W = torch.stack([model.readout.weight for model in models]).mT
    b = torch.stack([model.readout.bias for model in models])
    if last_only:
        return state[0] @ W + b[:, None]
    return outputs @ W[:, None] + b[:, None, None]
