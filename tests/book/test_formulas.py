"""A formula that we flattened looks as MathJax drew it."""

import io

import course_typeset
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

FORMULAS = [
    r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}",
    r"\begin{aligned} a &= \tanh(W_{in} x + b_{in})\\ b &= \frac{\partial L}{\partial h}"
    r"\sqrt{\frac{1}{\sqrt{2}}}\end{aligned}",
    r"\left(\begin{matrix}1\\2\\3\\4\\5\\6\end{matrix}\right)"
    r"\underbrace{\sum_{i=1}^n \hat{x}\,\overline{abc}}_{\text{some text}}",
    r"\operatorname{diag}(\sigma'(a))\,\mathbf{W}\,\boldsymbol{x} \in \mathbb{R}^{H \times D}"
    r"\quad \begin{cases}1 & 2\\ 3\end{cases} \quad \widehat{abc} \xrightarrow{f} \lVert x \rVert",
]


@pytest.fixture(scope="module")
def typesetter():
    made = course_typeset.Typesetter()
    yield made
    made.close()


@pytest.mark.parametrize("tex", FORMULAS)
def test_a_flattened_drawing_looks_as_mathjax_drew_it(browser, typesetter, tex) -> None:
    formula = typesetter.formula(tex, True)
    ours = (
        f'<svg width="{formula.width}" height="{formula.height}" viewBox="{formula.view_box}">'
        f"{formula.inside}</svg>"
    )
    page = browser.new_page(device_scale_factor=3)
    pictures = []
    for svg in (ours, typesetter._typeset(tex, True)["svg"]):
        page.set_content(f'<body style="margin: 9px; font: 16px serif">{svg}')
        pictures.append(np.array(Image.open(io.BytesIO(page.screenshot())).convert("L"), float))
    page.close()
    ink = (pictures[1] < 128).sum()
    assert ink > 1000
    # Places are rounded to a thousandth of an em, which moves an edge by less than a pixel.
    assert (np.abs(pictures[0] - pictures[1]) > 128).sum() < 0.005 * ink
