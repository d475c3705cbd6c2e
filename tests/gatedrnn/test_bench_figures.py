"""The figures of the benchmark show the numbers they are given."""

import numpy as np
import pytest

from gatedrnn.figures.bench import class_sizes, growth_curves, ratio_bars


def test_bars_have_the_medians_and_the_floor(tmp_path):
    medians, intervals = np.array([1.0, 0.7]), np.array([[1.0, 1.0], [0.6, 0.9]])
    figure = ratio_bars(["library", "ours"], medians, intervals, "library", floor=0.4)
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == [1.0, 0.7]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["library", "ours"]
    assert "0.70" in [text.get_text() for text in ax.texts]
    assert [list(line.get_xdata()) for line in ax.lines[-2:]] == [[1.0, 1.0], [0.4, 0.4]]
    figure.savefig(tmp_path / "bars.svg")


def test_curves_have_the_medians(tmp_path):
    sizes = np.array([64, 128])
    values = (np.array([0.8, 0.7]), np.array([[0.7, 0.9], [0.6, 0.8]]))
    figure = growth_curves(sizes, {"fused": values}, "time steps", "torch.nn.GRU")
    (ax,) = figure.axes
    assert list(ax.lines[0].get_ydata()) == [0.8, 0.7]
    assert ax.get_xscale() == "log"
    figure.savefig(tmp_path / "curves.svg")


def test_a_class_has_its_times_its_peaks_and_a_straight_line(tmp_path):
    figure = class_sizes([20, 200], [8.0, 20.0], [790, 880])
    time, memory = figure.axes
    assert list(time.lines[0].get_ydata()) == [8.0, 20.0]
    assert [list(v) for v in time.lines[1].get_data()] == [[0, 200], [0, 20.0]]
    assert list(memory.lines[0].get_ydata()) == [790, 880]
    figure.savefig(tmp_path / "class.svg")


def test_other_shapes_are_refused_in_words():
    with pytest.raises(ValueError, match="2 names need as many medians"):
        ratio_bars(["a", "b"], np.ones(3), np.ones((3, 2)), "a")
    with pytest.raises(ValueError, match="fused needs 2 medians"):
        growth_curves(np.ones(2), {"fused": (np.ones(3), np.ones((3, 2)))}, "T", "GRU")
    with pytest.raises(ValueError, match="2 classes need as many times"):
        class_sizes([1, 2], [1.0], [1.0, 2.0])
