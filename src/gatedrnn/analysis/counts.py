"""Parameters and multiply-adds by formula; D input size, H hidden size, G blocks of a cell."""

BLOCKS = {"rnn": 1, "gru": 3, "lstm": 4}
_BIAS_VECTORS = {"both": 2, "one": 1, "none": 0}


def parameter_count(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    bidirectional: bool = False,
    biases: str = "both",
) -> int:
    """Number of parameters of a recurrent network: G (D H + H^2 + k H) for each layer, direction.

    Equation ``eq-param-count``; D is the input size in the first layer, and H, or 2 H when
    bidirectional, in the layers above.
    ``cell`` is "rnn", "gru" or "lstm"; ``biases`` says how many vectors k each block has: "both"
    (2, as in PyTorch), "one" (1, as in the papers' usual form) or "none" (0).
    Keras has both for a GRU with ``reset_after=True``, and one for every other cell.
    Raises ValueError for an unknown cell or bias convention, or a size below one.
    """
    G = _blocks(cell)
    if biases not in _BIAS_VECTORS:
        raise ValueError(f"biases must be one of {', '.join(_BIAS_VECTORS)}, but got {biases!r}.")
    H, k = hidden_size, _BIAS_VECTORS[biases]
    S = 2 if bidirectional else 1
    sizes = _layer_input_sizes(input_size, hidden_size, num_layers, S)
    return sum(S * G * (D * H + H * H + k * H) for D in sizes)


def multiply_adds(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    bidirectional: bool = False,
    time_steps: int = 1,
    batch_size: int = 1,
) -> int:
    """Multiply-adds of the matrix products in a forward pass: G (D H + H^2) a step and sequence.

    Equation ``eq-multiply-adds``.
    Only products are counted: biases and element-wise operations grow with H, not with H^2.
    One multiply-add is two floating-point operations.
    Raises ValueError for an unknown cell or a size below one.
    """
    G = _blocks(cell)
    _check_sizes(time_steps=time_steps, batch_size=batch_size)
    S = 2 if bidirectional else 1
    sizes = _layer_input_sizes(input_size, hidden_size, num_layers, S)
    a_step = sum(S * G * (D * hidden_size + hidden_size**2) for D in sizes)
    return batch_size * time_steps * a_step


def match_hidden_size(
    target: int,
    cell: str,
    input_size: int,
    outputs: int = 0,
    num_layers: int = 1,
    bidirectional: bool = False,
    biases: str = "both",
) -> int:
    """The hidden size that brings a network's parameter count nearest to ``target``.

    With ``outputs`` > 0 the count includes a linear readout with bias from the last layer's
    states to that many outputs.
    Of two sizes that are equally near, the smaller.
    Raises ValueError when even a hidden size of one exceeds the target, and as
    ``parameter_count`` does.
    """
    S = 2 if bidirectional else 1

    def count(H: int) -> int:
        layers = parameter_count(cell, input_size, H, num_layers, bidirectional, biases)
        return layers + outputs * (S * H + 1) if outputs else layers

    if count(1) > target:
        raise ValueError(
            f"target must be at least {count(1)}, the parameters of a {cell} with hidden size 1 "
            f"and these other sizes, but it is {target}."
        )
    # The count grows with H: halve the range until it holds the last size not above the target.
    low, high = 1, 2
    while count(high) <= target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= target else (low, middle)
    return low if target - count(low) <= count(high) - target else high


def _blocks(cell: str) -> int:
    if cell not in BLOCKS:
        raise ValueError(f"cell must be one of {', '.join(BLOCKS)}, but got {cell!r}.")
    return BLOCKS[cell]


def _layer_input_sizes(
    input_size: int, hidden_size: int, num_layers: int, directions: int
) -> list[int]:
    _check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
    return [input_size] + [directions * hidden_size] * (num_layers - 1)


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, but it is {size}.")
