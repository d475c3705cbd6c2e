"""Figures: labelled axes, the data that was given, and colours that every reader can tell apart."""

import io
import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gatedrnn.figures import comparisons, gradients, style

PAGES = {"light": "#ffffff", "dark": "#121212"}
MEANINGS = ("STATE", "UPDATE", "RESET", "CANDIDATE", "INPUT", "GRADIENT")
# Machado, Oliveira and Fernandes (2009), table 1: full protanopia and deuteranopia, linear RGB.
COLOUR_BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


def linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    """WCAG 2 contrast ratio."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(linear(colour) @ weights) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(rgb):
    """CIE L*a*b* of a linear RGB colour."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.fixture(autouse=True)
def book_style():
    with matplotlib.rc_context():
        style.use_style()
        yield


@pytest.mark.parametrize("page", PAGES)
def test_every_colour_stands_out_on_both_pages(page):
    for name in (*MEANINGS, "INK", "MUTED"):
        assert contrast(getattr(style, name), PAGES[page]) >= 3, name
    # No grey does better on both pages: the square root of their own contrast.
    assert contrast(style.INK, PAGES[page]) >= 0.98 * contrast(*PAGES.values()) ** 0.5


@pytest.mark.parametrize("sight", [None, *COLOUR_BLIND])
def test_meanings_can_be_told_apart(sight):
    matrix = np.eye(3) if sight is None else np.array(COLOUR_BLIND[sight])
    seen = {name: lab(matrix @ linear(getattr(style, name))) for name in MEANINGS}
    for first, second in itertools.combinations(MEANINGS, 2):
        # Ten units of L*a*b* are a plain difference side by side; 2.3 is just noticeable.
        assert np.linalg.norm(seen[first] - seen[second]) > 10, (first, second)


def test_cells_differ_by_more_than_colour():
    for key in ("color", "linestyle", "marker"):
        assert len({look[key] for look in style.CELLS.values()}) == len(style.CELLS)


def labelled(fig):
    return all(ax.get_xlabel() and ax.get_ylabel() for ax in fig.axes)


def test_learning_curves_draw_means_and_ranges():
    characters = np.array([1e6, 2e6, 3e6])
    gru = np.array([[3.0, 2.0, 1.0], [5.0, 2.4, 1.2]])
    fig = comparisons.learning_curves(characters, {"GRU": gru, "LSTM": gru + 1}, ("5-gram", 2.2))
    ax = fig.axes[0]
    assert labelled(fig) and "bits per character" in ax.get_ylabel()
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 4.0], [2, 2.2], [3, 1.1]])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1.0, 5.0)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["GRU", "LSTM"]
    assert ax.texts[0].get_text() == "5-gram"
    with pytest.raises(ValueError, match=r"GRU needs a row of 3 values .* got shape \(3,\)"):
        comparisons.learning_curves(characters, {"GRU": gru[0]})


def test_gradients_are_geometric_means_with_the_colour_of_their_cell():
    lags = np.arange(3)
    norms = np.array([[1.0, 1e-4, 0.0], [1.0, 1e-2, 1e-8]])
    names = ("GRU", "GRU, bias of z +4", "RNN, orthogonal W_hh")
    fig = comparisons.gradient_vs_lag(lags, {name: norms for name in names})
    ax = fig.axes[0]
    assert labelled(fig) and ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [1.0, 1e-3, np.nan])
    colours = [line.get_color() for line in ax.lines]
    assert colours[0] == colours[1] == style.STATE != colours[2]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    with pytest.raises(ValueError, match="RNN needs a row of 3 norms"):
        comparisons.gradient_vs_lag(lags, {"RNN": norms[:, :2]})


def test_figures_are_transparent_and_the_same_each_time():
    def svg():
        file = io.StringIO()
        fig = comparisons.gradient_vs_lag(np.arange(2), {"GRU": np.array([[1.0, 0.5]])})
        fig.savefig(file, format="svg", metadata={"Date": None})
        return file.getvalue()

    fig = comparisons.gradient_vs_lag(np.arange(2), {"GRU": np.array([[1.0, 0.5]])})
    assert [patch.get_facecolor()[3] for patch in (fig.patch, fig.axes[0].patch)] == [0, 0]
    text = svg()
    assert text == svg()
    assert "fill: #ffffff" not in text
    assert f"fill: {style.INK}" in text


def test_training_figure_draws_before_thin_and_after_thick_and_a_zero_as_a_gap():
    before = {"LSTM": np.array([[0.0, 1.0, 1e-3], [0.0, 4.0, 1e-5]])}
    after = {"LSTM": np.array([[0.0, 1.0, 0.1], [0.0, 9.0, 0.4]])}
    fig = gradients.before_and_after({"short": after, "long": after}, before)
    for ax in fig.axes:
        thin, thick = ax.get_lines()
        assert thin.get_linewidth() < thick.get_linewidth()
        np.testing.assert_allclose(thin.get_ydata(), [np.nan, 2.0, 1e-4])
        np.testing.assert_allclose(thick.get_ydata(), [np.nan, 3.0, 0.2])


def test_circles_are_images_of_the_unit_circle_under_powers():
    W = np.array([[0.5, 2.0], [0.0, 0.25]])
    fig = gradients.circles({"one": W, "other": np.eye(2)}, (0, 3))
    image = np.array(fig.axes[1].get_lines()[1].get_data())
    back = np.linalg.solve(np.linalg.matrix_power(W, 3), image)
    np.testing.assert_allclose(np.linalg.norm(back, axis=0), 1, rtol=1e-9)


def test_scale_figure_names_every_scale():
    curves = {0.5: np.full((2, 4), 1e-3), 1.0: np.ones((2, 4)), 1.5: np.full((2, 4), 5.0)}
    fig = gradients.norms_by_scale({"quiet": curves, "busy": curves})
    for ax in fig.axes:
        assert {text.get_text() for text in ax.texts} == {"0.5", "1", "1.5"}
