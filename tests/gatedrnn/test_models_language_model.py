"""The language model: what it measures does not depend on how the text is cut."""

import math

import pytest
import torch
from torch import nn

from gatedrnn.data import StreamChunks
from gatedrnn.models.language_model import (
    CharLM,
    bits_per_character,
    nats_per_character,
    next_character_loss,
    sample,
)

LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


def make(cell, characters=9, embedding=4, hidden=6):
    torch.manual_seed(2)
    layer = LAYERS[cell]
    return CharLM(characters, embedding, lambda d: layer(d, hidden, batch_first=True)).double()


@pytest.mark.parametrize("cell", LAYERS)
@pytest.mark.parametrize("length", [1, 7, 24, 1000])
def test_the_value_does_not_depend_on_the_chunk_length(cell, length):
    model = make(cell)
    streams = torch.randint(0, 9, (3, 50), generator=torch.Generator().manual_seed(0))
    # The authority: the whole stream at once, one target at a time, without chunks.
    with torch.no_grad():
        logits, _ = model(streams)
    probabilities = torch.softmax(logits[:, :-1], dim=2)
    chosen = probabilities.gather(2, streams[:, 1:, None])
    expected = float(-chosen.log().mean())
    assert nats_per_character(model, streams, length) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_stops_at_the_chunk_and_the_state_does_not():
    model = make("LSTM")
    source = StreamChunks(torch.randint(0, 9, (2, 12)), 4)
    _, state = next_character_loss(model, source.next_batch(), None)
    assert all(not part.requires_grad for part in state)
    second = source.next_batch()
    with_state = next_character_loss(model, second, state)[0].detach()
    without = next_character_loss(model, second, None)[0].detach()
    assert abs(float(with_state - without)) > 1e-4
    with torch.no_grad():
        logits, _ = model(second.inputs, state)
    expected = -torch.log_softmax(logits, 2).gather(2, second.targets[..., None]).mean()
    assert float(with_state) == pytest.approx(float(expected), rel=1e-12)


def test_a_fresh_pass_ignores_the_carried_state():
    model = make("GRU")
    first = StreamChunks(torch.randint(0, 9, (2, 12)), 4).next_batch()
    junk = torch.full((1, 2, 6), 5.0, dtype=torch.float64)
    a, _ = next_character_loss(model, first, junk)
    b, _ = next_character_loss(model, first, None)
    assert float(a.detach()) == float(b.detach())


def test_uniform_predictions_cost_log2_of_the_alphabet():
    model = make("RNN", characters=8)
    nn.init.zeros_(model.readout.weight)
    nn.init.zeros_(model.readout.bias)
    streams = torch.randint(0, 8, (2, 30))
    assert bits_per_character(nats_per_character(model, streams)) == pytest.approx(3.0, rel=1e-12)


def test_measuring_leaves_the_mode_as_it_was():
    model = make("GRU")
    for training in (True, False):
        model.train(training)
        nats_per_character(model, torch.randint(0, 9, (1, 5)))
        sample(model, torch.tensor([0]), 2, torch.Generator())
        assert model.training is training


def test_samples_follow_the_model_at_each_temperature():
    model = make("GRU")
    with torch.no_grad():
        model.readout.weight.mul_(4)
    prompt = torch.tensor([1, 4, 2])
    with torch.no_grad():
        logits = model(prompt[None])[0][0, -1]
    for temperature in (0.5, 1.0, 2.0):
        expected = torch.softmax(logits / temperature, dim=0)
        generator = torch.Generator().manual_seed(1)
        drawn = torch.cat([sample(model, prompt, 1, generator, temperature) for _ in range(4000)])
        shares = torch.bincount(drawn, minlength=9) / 4000
        # Five standard errors of a share of 4000 draws.
        error = 5 * torch.sqrt(expected * (1 - expected) / 4000)
        assert bool(((shares - expected).abs() < error + 1e-3).all()), temperature


def test_temperature_zero_feeds_back_its_own_choices():
    model = make("LSTM")
    with torch.no_grad():
        # Large weights, so that the choice depends on all that was read and not on the last id.
        for parameter in model.parameters():
            parameter.mul_(4)
    prompt = torch.tensor([3, 0])
    drawn = sample(model, prompt, 25, torch.Generator(), temperature=0)
    text = prompt
    for index in drawn:
        with torch.no_grad():
            logits, _ = model(text[None])
        assert int(index) == int(logits[0, -1].argmax())
        text = torch.cat([text, index[None]])


def test_what_cannot_be_a_language_model_is_refused():
    with pytest.raises(ValueError, match="batch_first=True"):
        CharLM(5, 3, lambda d: nn.GRU(d, 4))
    with pytest.raises(ValueError, match="bidirectional"):
        CharLM(5, 3, lambda d: nn.GRU(d, 4, batch_first=True, bidirectional=True))
    model = make("RNN")
    with pytest.raises(ValueError, match="at least one id"):
        sample(model, torch.tensor([], dtype=torch.long), 1, torch.Generator())
    with pytest.raises(ValueError, match="negative, got -1"):
        sample(model, torch.tensor([0]), 1, torch.Generator(), temperature=-1.0)


def test_bits_are_nats_over_ln_2():
    assert bits_per_character(math.log(2)) == 1.0
