"""Character language model: embedding, one recurrent layer, linear readout."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gatedrnn.data.text import Chunk, chunks

State = Any  # Tensor (1, B, H), or a tuple of two for an LSTM


class CharLM(nn.Module):
    """A language model p(next character | all characters before it), with V characters.

    `make_recurrent(E)` returns the recurrent layer for inputs of E features: `torch.nn.RNN`, `GRU`
    or `LSTM`, or this package's drop-ins, with `batch_first=True` and one direction.

    Raises ValueError when the layer is not batch first, or is bidirectional: a backward direction
    would read the character that is to be predicted.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        make_recurrent: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        recurrent: Any = make_recurrent(embedding_size)
        if not recurrent.batch_first:
            raise ValueError("CharLM needs a recurrent layer made with batch_first=True.")
        if recurrent.bidirectional:
            raise ValueError(
                "CharLM needs a layer with one direction: a bidirectional one reads the character "
                "that it is asked to predict."
            )
        self.recurrent = recurrent
        self.readout = nn.Linear(recurrent.hidden_size, vocabulary_size)

    def forward(self, ids: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Map ids (B, T) and a state to logits (B, T, V) and the state after the last step."""
        outputs, state = self.recurrent(self.embedding(ids), state)
        return self.readout(outputs), state


def detach(state: State) -> State:
    """Return the same state, cut from the graph: the value goes on, the gradient does not."""
    if state is None or isinstance(state, Tensor):
        return None if state is None else state.detach()
    return tuple(part.detach() for part in state)


def next_character_loss(model: nn.Module, chunk: Chunk, state: State) -> tuple[Tensor, State]:
    """Return the mean loss of a chunk in nats per character, and the state to carry, detached.

    The loss function of truncated backpropagation through time for `gatedrnn.training.fit`. The
    first chunk of a pass over the text starts from the zero state.
    """
    logits, state = model(chunk.inputs, None if chunk.first else state)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), chunk.targets.flatten())
    return loss, detach(state)


@torch.no_grad()
def nats_per_character(model: nn.Module, streams: Tensor, chunk_length: int = 256) -> float:
    """Return the mean negative log-likelihood of streams (B, N), in nats per character.

    Each stream starts from the zero state and the state is carried from chunk to chunk, so the
    chunk length changes memory use and not the value. The mean is over all B (N - 1) targets.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    state, total = None, 0.0
    for chunk in chunks(streams.to(device), chunk_length):
        logits, state = model(chunk.inputs, state)
        total += float(
            nn.functional.cross_entropy(
                logits.flatten(0, 1).double(), chunk.targets.flatten(), reduction="sum"
            )
        )
    model.train(was_training)
    return total / (streams.shape[0] * (streams.shape[1] - 1))


def bits_per_character(nats: float) -> float:
    """Convert nats per character to bits per character: divide by ln 2."""
    return nats / math.log(2)


@torch.no_grad()
def sample(
    model: nn.Module,
    prompt: Tensor,
    length: int,
    generator: torch.Generator,
    temperature: float = 1.0,
) -> Tensor:
    """Continue a prompt of ids (T,) by `length` ids drawn one after another, shape (length,).

    The logits are divided by the temperature before the softmax; temperature 0 takes the
    largest. Raises ValueError for an empty prompt or a negative temperature.
    """
    if prompt.ndim != 1 or prompt.numel() == 0:
        raise ValueError(f"A prompt is a row of at least one id, got {tuple(prompt.shape)}.")
    if temperature < 0:
        raise ValueError(f"The temperature must not be negative, got {temperature}.")
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    logits, state = model(prompt[None, :].to(device))
    drawn: list[int] = []
    for _ in range(length):
        drawn.append(_draw(logits[0, -1].cpu(), temperature, generator))
        logits, state = model(torch.tensor([[drawn[-1]]], device=device), state)
    model.train(was_training)
    return torch.tensor(drawn, dtype=torch.long)


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits / temperature, dim=0)
    return int(torch.multinomial(probabilities, 1, generator=generator))
