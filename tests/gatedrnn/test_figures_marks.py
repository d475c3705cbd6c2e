"""The figures of the report on a class show the numbers they are given."""

import pytest

from gatedrnn.figures import marks


def test_the_distribution_has_a_bar_for_each_tenth_and_the_median():
    counts = [3, 0, 2, 1, 0, 0, 5, 7, 4, 9]
    (ax,) = marks.distribution(counts, 0.72).axes
    assert [bar.get_height() for bar in ax.patches] == counts
    assert [t.get_text() for t in ax.texts if t.get_text().isdigit()] == [
        str(n) for n in counts if n
    ]
    assert ax.lines[0].get_xdata()[0] == pytest.approx(7.2)
    with pytest.raises(ValueError, match="ten tenths, got 3"):
        marks.distribution([1, 2, 3])


def test_items_draw_means_properties_and_correlations():
    names = ["first", "second"]
    fig = marks.items(names, [0.8, 0.25], [[0.9, 0.7], [0.25]], [(0.5, 0.2, 0.7), None])
    left, right = fig.axes
    assert [bar.get_width() for bar in left.patches] == [0.8, 0.25]
    assert [list(line.get_xdata()) for line in left.lines] == [[0.9, 0.7], [0.25]]
    interval, value, zero = right.lines
    assert list(interval.get_xdata()) == [0.2, 0.7]
    assert list(value.get_xdata()) == [0.5]
    assert set(zero.get_xdata()) == {0}
    assert len(marks.items(names, [0.8, 0.25], [[0.9], [0.2]], [None, None]).axes) == 1


def test_counts_name_each_bar():
    (ax,) = marks.counts(["a: long name", "b"], [7, 2]).axes
    assert [bar.get_width() for bar in ax.patches] == [7, 2]
    assert {"a: long name", "b", "7", "2"} <= {t.get_text() for t in ax.texts}


def test_closeness_marks_what_lies_beyond_the_threshold():
    counts = [9, 3, 0, 0, 1, 2, 0, 0, 0, 2]
    (ax,) = marks.closeness(counts, 0.5).axes
    assert [bar.get_height() for bar in ax.patches] == counts
    colors = [bar.get_facecolor() for bar in ax.patches]
    assert len(set(colors[:5])) == len(set(colors[5:])) == 1 and colors[4] != colors[5]
    assert ax.lines[0].get_xdata()[0] == pytest.approx(5)
    with pytest.raises(ValueError, match="ten tenths, got 1"):
        marks.closeness([1], 0.5)
