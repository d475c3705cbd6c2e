"""Figures of the chapter on the backward pass of the GRU: the lines and bands that they draw."""

import numpy as np

from gatedrnn.figures import gru_backward as figures

LAGS = [1, 2, 3]
# Student's t, four degrees of freedom, 95 % two-sided: any printed table.
T_FOUR = 2.776445


def draw(seed):
    return np.exp(np.random.default_rng(seed).normal(size=(5, 3)))


def check_line(ax, index, values):
    """The line is the geometric mean, and its band Student's interval of the logarithm."""
    line, band = ax.get_lines()[index], ax.collections[index]
    np.testing.assert_allclose(line.get_ydata(), np.exp(np.log(values).mean(axis=0)))
    logs = np.log(values)
    half = T_FOUR * logs.std(axis=0, ddof=1) / 5**0.5
    low, high = logs.mean(axis=0) - half, logs.mean(axis=0) + half
    corners = band.get_paths()[0].vertices
    np.testing.assert_allclose(corners[:, 1].min(), np.exp(low.min()), rtol=1e-6)
    np.testing.assert_allclose(corners[:, 1].max(), np.exp(high.max()), rtol=1e-6)


def test_a_panel_for_each_title_and_a_line_for_each_route():
    panels = {
        title: {route: draw(4 * p + k) for k, route in enumerate(("r", "z", "n", "direct"))}
        for p, title in enumerate(("one", "two"))
    }
    fig = figures.route_shares(LAGS, panels)
    assert [ax.get_title() or ax.get_title("left") for ax in fig.axes] == ["one", "two"]
    for ax, routes in zip(fig.axes, panels.values(), strict=True):
        names = [line.get_label().removeprefix("by ") for line in ax.get_lines()]
        assert sorted(names) == ["direct", "n", "r", "z"]
        for index, name in enumerate(names):
            check_line(ax, index, routes[name])
        looks = {(line.get_color(), line.get_linestyle()) for line in ax.get_lines()}
        assert len({c for c, _ in looks}) == len({s for _, s in looks}) == 4
    assert fig.axes[-1].get_xlabel() and all(ax.get_ylabel() for ax in fig.axes)


def test_shares_are_drawn_in_the_order_given():
    shares = {name: draw(k) for k, name in enumerate("abcd")}
    (ax,) = figures.confined_shares(LAGS, shares).axes
    assert [line.get_label() for line in ax.get_lines()] == list("abcd")
    for index, values in enumerate(shares.values()):
        check_line(ax, index, values)
