"""The small model of the live figure: its rounding, its reading, and the names of its units."""

import numpy as np
import pytest
import torch
from torch import nn

from gatedrnn.data import CharVocabulary
from gatedrnn.experiments import live_reader
from gatedrnn.models.language_model import CharLM, bits_per_character, nats_per_character

TEXT = "\n\nFIRST LORD:\nA stool, I say!\nno\n\nALL:\nGo. " * 12
VOCABULARY = CharVocabulary(TEXT)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return CharLM(len(VOCABULARY), 3, lambda inputs: nn.GRU(inputs, 5, batch_first=True)).double()


def test_rounding_moves_no_weight_by_more_than_half_a_step(model):
    exact = live_reader.tensors_of(model)
    packed = live_reader.pack(exact)
    rounded = live_reader.unpack(packed)
    assert rounded.keys() == exact.keys() == set(live_reader.TENSORS)
    for name, values in exact.items():
        step = packed[name]["scale"]
        assert np.abs(rounded[name] - values).max() <= step / 2 * (1 + 1e-12)
        assert np.abs(values).max() == pytest.approx(127 * step)


def test_bits_per_character_are_those_of_the_model_in_torch_in_any_order_of_units(model):
    tensors = live_reader.tensors_of(model)
    ids = VOCABULARY.encode(TEXT)
    streams = ids[: 16 * (len(ids) // 16)].view(16, -1)
    wanted = bits_per_character(nats_per_character(model, streams))
    assert live_reader.bpc(TEXT, VOCABULARY, tensors) == pytest.approx(wanted, rel=1e-12)
    order = np.array([3, 0, 4, 2, 1])
    turned = live_reader.reorder(tensors, order)
    assert live_reader.bpc(TEXT, VOCABULARY, turned) == pytest.approx(wanted, rel=1e-12)
    both = [live_reader.read(TEXT, VOCABULARY, t, 2)["z"] for t in (tensors, turned)]
    np.testing.assert_allclose(both[1], both[0][..., order], atol=1e-12)


def test_features_of_a_text():
    features = live_reader.features_of("\n\nAB: c\nD:e")
    assert features["inside a speaker's name"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    letters = features["letters since the word began"]
    assert letters.tolist() == [0, 0, 1, 2, 3, 0, 1, 0, 1, 2, 3]
    line = features["characters since the line began"]
    assert line.tolist() == [0, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3]
    assert features["just read a capital"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0]
    assert features["just read a vowel"].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_correlations_are_pearsons():
    rng = np.random.default_rng(0)
    units, feature = rng.normal(size=(2, 7, 3)), rng.normal(size=15)
    units[..., 1] = 4.0  # a unit that never moves follows nothing
    found = live_reader.correlations(units, feature)
    for unit in (0, 2):
        wanted = np.corrcoef(units[..., unit].ravel(), feature[:14])[0, 1]
        assert found[unit] == pytest.approx(wanted, rel=1e-12)
    assert found[1] == 0


def test_the_last_character_explains_what_needs_no_memory():
    features = live_reader.features_of(TEXT)
    assert live_reader._from_last_character(TEXT, features["just read a vowel"]) == pytest.approx(
        1.0
    )
    assert (
        0
        < live_reader._from_last_character(TEXT, features["characters since the line began"])
        < 0.95
    )


def test_only_a_correlation_on_the_test_part_gives_a_name():
    rows = {
        "a": {
            "z": {"unit": 1, "valid": 0.9, "test": 0.6},
            "h": {"unit": 2, "valid": -0.7, "test": -0.8},
        }
    }
    assert live_reader.names(rows, 0.7) == [
        {"of": "h", "unit": 2, "feature": "a", "correlation": -0.8}
    ]
