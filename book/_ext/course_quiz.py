"""``{quiz} slug``: the questions of ``book/_quizzes/slug.yml``, answerable in the page.

Everything is written into the page at build time: texts are MyST, so mathematics, references and
code work, and without JavaScript each question keeps its answers in a ``<details>``. ``quiz.js``
adds the buttons, the spoken feedback and the memory (localStorage of this browser, nothing leaves
it). ``problems`` says in sentences what is wrong with a quiz file; the tests use it too.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import yaml
from course_paths import QUIZZES, relative
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)
FEWEST, MOST = 3, 6
KINDS = ("one", "several", "number")


def read_quiz(path: Path) -> dict[str, Any]:
    """Return the quiz as a dictionary; raise ValueError with one sentence when it is not one."""
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("questions"), list):
        raise ValueError(f"{path.name} must hold a list under the key `questions`")
    return data


def problems(quiz: dict[str, Any]) -> list[str]:
    """Return one sentence for each thing that is wrong with a quiz."""
    questions = quiz["questions"]
    found = []
    if not FEWEST <= len(questions) <= MOST:
        found.append(f"a quiz has {FEWEST} to {MOST} questions, and this one has {len(questions)}")
    seen: set[str] = set()
    for number, question in enumerate(questions, 1):
        complaints = _question_problems(question)
        if question.get("id") in seen:
            complaints.append(f"its id {question['id']!r} is taken")
        seen.add(question.get("id", ""))
        found += [f"question {number}: {complaint}" for complaint in complaints]
    return found


def _question_problems(question: dict[str, Any]) -> list[str]:
    found = [f"`{key}` is missing" for key in ("id", "kind", "question") if not question.get(key)]
    kind = question.get("kind")
    if kind not in KINDS:
        return [*found, f"kind must be one of {', '.join(KINDS)}, not {kind!r}"]
    if kind == "number":
        return found + _number_problems(question)
    options = question.get("options") or []
    if len(options) < 2:
        found.append("it needs at least two options")
    for option in options:
        if not str(option.get("text", "")).strip():
            found.append("an option has no text")
        if not str(option.get("because", "")).strip():
            found.append(f"the option {option.get('text')!r} has no explanation (`because`)")
    right = sum(bool(option.get("right")) for option in options)
    if kind == "one" and right != 1:
        found.append(f"exactly one option must be right, and {right} are")
    if kind == "several" and not 1 <= right <= len(options):
        found.append("at least one option must be right")
    return found


def _number_problems(question: dict[str, Any]) -> list[str]:
    found = []
    if not isinstance(question.get("answer"), int | float):
        found.append("`answer` must be a number")
    for key in ("because", "otherwise"):
        if not str(question.get(key, "")).strip():
            found.append(f"`{key}` is missing")
    for wrong in question.get("wrong", []):
        if not isinstance(wrong.get("value"), int | float) or not wrong.get("because"):
            found.append("each entry of `wrong` needs a number `value` and a `because`")
        elif abs(wrong["value"] - question.get("answer", 0)) <= question.get("tolerance", 0):
            found.append(
                f"the wrong value {wrong['value']} lies within the tolerance of the answer"
            )
    return found


class Quiz(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        slug = self.arguments[0]
        path = QUIZZES / f"{slug}.yml"
        if not path.is_file():
            return self._complain(f"there is no {relative(path)}")
        self.env.note_dependency(str(path))
        try:
            quiz = read_quiz(path)
        except ValueError as error:
            return self._complain(str(error))
        if found := problems(quiz):
            return self._complain(f"{path.name}: " + "; ".join(found))
        questions = quiz["questions"]
        box = nodes.container(classes=["quiz-holder"])
        box += _raw(
            f'<form class="quiz" data-quiz="{html.escape(slug)}" aria-label="Quiz" '
            'autocomplete="off" novalidate>'
        )
        for number, question in enumerate(questions, 1):
            box.extend(self._question(slug, number, len(questions), question))
        box += _raw("</form>")
        return [box]

    def _question(
        self, slug: str, number: int, total: int, question: dict[str, Any]
    ) -> list[nodes.Node]:
        kind = question["kind"]
        key = f"quiz-{slug}-{question['id']}"
        out: list[nodes.Node] = [
            _raw(
                f'<fieldset class="quiz-question" id="{key}" data-kind="{kind}" '
                f'data-id="{html.escape(question["id"])}"><legend>'
                f'<span class="quiz-count">Question {number} of {total}</span> '
            )
        ]
        first, *rest = self._parse(question["question"])
        out += [*first.children, _raw("</legend>"), *rest]
        explain = self._number if kind == "number" else self._options
        out += explain(key, question)
        return [*out, _raw("</fieldset>")]

    def _options(self, key: str, question: dict[str, Any]) -> list[nodes.Node]:
        control = "radio" if question["kind"] == "one" else "checkbox"
        out: list[nodes.Node] = []
        if control == "checkbox":
            out.append(_raw('<p class="quiz-note">Several may be right: tick all that are.</p>'))
        for place, option in enumerate(question["options"]):
            right = str(bool(option.get("right"))).lower()
            out.append(
                _raw(
                    f'<div class="quiz-option" data-right="{right}"><input type="{control}" '
                    f'name="{key}" id="{key}-{place}" value="{place}"><label for="{key}-{place}">'
                    # Where an option is a formula alone, the label still has words.
                    f'<span class="visually-hidden">Answer {place + 1}: </span>'
                )
            )
            out += [*self._parse(str(option["text"]))[0].children, _raw("</label></div>")]
        out.append(_raw(_ANSWERS))
        for place, option in enumerate(question["options"]):
            verdict = "Right" if option.get("right") else "Wrong"
            out.append(_raw(f'<div class="quiz-because" data-for="{place}">'))
            lead = _raw(f'<span class="quiz-verdict">{verdict}.</span> ')
            out += [*self._explanation(lead, option, "because"), _raw("</div>")]
        return [*out, _raw("</details>")]

    def _number(self, key: str, question: dict[str, Any]) -> list[nodes.Node]:
        tolerance = question.get("tolerance", 0)
        out: list[nodes.Node] = [
            _raw(
                f'<div class="quiz-number"><label for="{key}-value">Your number</label> '
                f'<input type="text" inputmode="decimal" id="{key}-value"></div>{_ANSWERS}'
            )
        ]
        cases = [(question["answer"], tolerance, "Right", question, "because")]
        cases += [(w["value"], tolerance, "Wrong", w, "because") for w in question.get("wrong", [])]
        for value, within, verdict, holder, text in cases:
            out.append(
                _raw(
                    f'<div class="quiz-because" data-value="{value}" data-within="{within}" '
                    f'data-right="{str(verdict == "Right").lower()}">'
                )
            )
            lead = _raw(f'<span class="quiz-verdict">{verdict} ({value}).</span> ')
            out += [*self._explanation(lead, holder, text), _raw("</div>")]
        out.append(_raw('<div class="quiz-because" data-otherwise>'))
        lead = _raw('<span class="quiz-verdict">Anything else.</span> ')
        out += [*self._explanation(lead, question, "otherwise"), _raw("</div></details>")]
        return out

    def _explanation(
        self, lead: nodes.Node, holder: dict[str, Any], key: str
    ) -> list[nodes.Element]:
        parsed = self._parse(str(holder[key]))
        parsed[0].insert(0, lead)
        return parsed

    def _parse(self, text: str) -> list[nodes.Element]:
        holder = nodes.Element()
        lines = StringList(text.strip().splitlines(), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, holder)
        return list(holder.children)  # type: ignore[arg-type]

    def _complain(self, sentence: str) -> list[nodes.Node]:
        LOGGER.warning("quiz: %s.", sentence, location=self.get_location(), type="course")
        return []


_ANSWERS = '<details class="quiz-answers"><summary>The answers, explained</summary>'


def _raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def _add_script(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    if 'class="quiz"' in (context.get("body") or ""):
        app.add_js_file("quiz.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("quiz", Quiz)
    app.connect("html-page-context", _add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
