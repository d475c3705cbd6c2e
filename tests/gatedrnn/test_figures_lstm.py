"""Figures of the chapter on the LSTM: what was given is what is drawn."""

import numpy as np
import pytest

from gatedrnn.figures import lstm as figures
from gatedrnn.figures import style

ADDING = {
    "GRU": {"steps_to_solve": [100, 100, 300], "median_steps": 100},
    "LSTM, no input gate": {"steps_to_solve": [None, None, 400], "median_steps": None},
    "RNN": {"steps_to_solve": [None, None, None], "median_steps": None},
}


def dots(ax):
    """Values and rows of the open marks, in the order in which they were drawn."""
    lines = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    return [(line.get_xdata(), line.get_ydata()) for line in lines if len(line.get_xdata())]


def test_a_seed_that_never_solved_it_stands_apart_and_has_no_bar():
    (ax,) = figures.adding_chart(ADDING, 900).axes
    drawn = dots(ax)
    assert list(drawn[0][0]) == [100, 100, 300]
    assert all(x > 900 for x in drawn[2][0])
    assert sorted(drawn[1][0])[0] == 400
    bars = [line for line in ax.lines if line.get_linewidth() == 3]
    assert [line.get_xdata()[0] for line in bars] == [100]
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[-1] == "never" and "900" not in labels
    # Equal values lie beside each other, so that each dot is seen.
    assert len(set(drawn[2][1])) == 3
    assert ax.get_yticklabels()[1].get_text() == "… no input gate"


def test_the_chorales_have_a_dot_for_each_seed_and_their_interval():
    rows = {
        "GRU": {"test_nll": [8.5, 8.7], "test_interval": {"mean": 8.6, "low": 8.4, "high": 8.8}},
        "LSTM": {"test_nll": [8.9, 9.1], "test_interval": {"mean": 9.0, "low": 8.8, "high": 9.2}},
    }
    (ax,) = figures.chorales_chart(rows).axes
    assert [list(values) for values, _ in dots(ax)] == [[8.5, 8.7], [8.9, 9.1]]
    intervals = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 3]
    assert [list(values) for values in intervals] == [[8.4, 8.8], [8.8, 9.2]]
    bottom, top = ax.get_ylim()
    assert bottom > top  # the first variant on top


def test_the_curves_keep_their_gaps():
    fig = figures.adding_curves({"LSTM": ([10, 20, 30], [[0.2, None, 0.1]])})
    values = fig.axes[0].lines[0].get_ydata()
    assert np.isnan(values[1]) and values[2] == pytest.approx(0.1)
    assert fig.axes[0].lines[0].get_color() == style.CELLS["LSTM"]["color"]


def test_each_cell_has_a_panel_and_each_unit_a_line():
    states = np.arange(12.0).reshape(4, 3)
    fig = figures.cell_states({"one": states, "two": -states})
    assert [ax.get_title() for ax in fig.axes] == ["one", "two"]
    np.testing.assert_array_equal(fig.axes[1].lines[2].get_ydata(), -states[:, 2])
