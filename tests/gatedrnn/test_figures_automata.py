"""Figures of the chapter on what gates can compute: the data that was given, where it belongs."""

import numpy as np
import pytest

from gatedrnn.figures import automata as figures
from gatedrnn.figures import style


def test_portraits_draw_a_curve_a_symbol_and_the_boxes_of_its_colour():
    states = np.linspace(-1, 1, 5)
    maps = {"one": {"0": states, "1": -states}, "two": {"0": states / 2}, "three": {"0": states}}
    fig = figures.portraits(states, maps, {"one": [(1, -1, 1)]}, start=0.6, side=0.5)
    first, second, third, spare = fig.axes
    assert [ax.get_title() for ax in (first, second, third)] == ["one", "two", "three"]
    assert not spare.get_visible()
    diagonal, keep, flip = first.lines
    np.testing.assert_array_equal(flip.get_ydata(), -states)
    assert keep.get_color() != flip.get_color() and keep.get_linestyle() != flip.get_linestyle()
    (box,) = first.patches
    assert box.get_bbox().extents == pytest.approx((0.6, -1, 1, -0.5))
    assert box.get_facecolor()[:3] == pytest.approx(
        tuple(int(flip.get_color()[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    assert not second.patches and third.get_ylabel()


def test_generalisation_draws_shares_from_one_and_every_seed():
    shares = {"GRU": np.array([1.0, 0.5, 0.0]), "LSTM": np.array([1.0, 1.0, 0.5])}
    fig = figures.generalisation(shares, 2, {"GRU": [0, 2], "LSTM": [2, 3]})
    top, bottom = fig.axes
    np.testing.assert_array_equal(top.lines[1].get_xydata(), [[1, 1], [2, 1], [3, 0.5]])
    assert [line.get_color() for line in top.lines] == [
        style.CELLS[name]["color"] for name in shares
    ]
    np.testing.assert_array_equal(bottom.lines[0].get_xdata(), [1, 2])  # 0 has no place on a log
    assert len(set(bottom.lines[0].get_ydata())) == 2


def test_the_others_draw_what_they_were_given():
    steps = np.array([1, 10, 100])
    drift = figures.drift(steps, {2.0: steps * 0.0, 4.0: steps * 0.01}, np.ones(3)).axes[0]
    assert [line.get_label() for line in drift.lines[:2]] == ["k = 2", "k = 4"]
    np.testing.assert_array_equal(drift.lines[2].get_ydata(), 1)

    up = np.array([0.0, 1.0, 2.0, 1.0, 0.0])
    above, below = figures.counting(2, up, up / 4, up).axes
    np.testing.assert_array_equal(above.lines[-1].get_ydata(), up)
    np.testing.assert_array_equal(below.lines[-1].get_ydata(), up / 4)

    units = np.arange(12.0).reshape(3, 4)
    panels = figures.trained_memory({"GRU": units, "LSTM": -units}, n=2, trained=1).axes
    assert [(ax.get_title(), ax.get_ylabel()) for ax in panels] == [("GRU", "h"), ("LSTM", "c")]
    np.testing.assert_array_equal(panels[1].lines[-1].get_ydata(), -units[-1])
    np.testing.assert_array_equal(panels[1].lines[-1].get_xdata(), [1, 2, 3, 4])
