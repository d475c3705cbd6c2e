"""The error clinic: every message in a heading is printed by the cells under it."""

import re

import pytest
import torch

from .page_cells import cells_of, run_cell

GPU_ONLY = {
    "RNN module weights are not part of single contiguous chunk of memory",
    "cudnn RNN backward can only be called in training mode",
}
# What the silent entries have to show: the wrong way and the right way, side by side.
SILENT = {
    "Silent: the backward direction has read one step": r"moves by 0e\+00\n.*moves by +[1-9]",
    "Silent: `batch_first` forgotten": r"left out: .*by [1-9].*\n.*True: .*by 0e\+00",
    "Silent: a state from another sequence": r"stopped: True",
    "Silent: the state is computed and thrown away": r"by 0e\+00",
    "Silent: `output[:, -1]` of a padded batch": r"zero: 3 of 4\n.*by 0e\+00\n.*by [1-9]",
    "Silent: lengths that do not fit": r"sequences 3\n.*12 of 16\n.*20 and stored 19",
    "Silent: two values of `batch_first`": r"x: False.*transpose: True",
    "Silent at first: the loss is NaN": r"nan, nan, nan(.*\n)+.*\[nan, nan\]\n.*\[nan, 1.0\]",
    "A gradient check fails for a right gradient": r"float32: False +float64: True",
    "Silent: weights from another library": r"was +outputs differ by [1-9].*\n.*by 0e\+00",
    "Silent: a forget bias of 2": r"\[2.0, 2.0",
    "Silent: the bias opens the gate instead of closing it": r"by [0-9]e-0[78]|by 0e\+00",
    "Silent: a loss that is too good": r"one direction: +0e\+00\ntwo directions: [1-9]",
    "Silent: the result changes from call to call": r"twice: +[1-9].*\n.*twice: 0e\+00",
    "Silent: softmax twice": r"scores: +0.000\nprobabilities: 1",
    "Silent: pads in the loss": r"all steps: (\S+); real steps: (?!\1)",
}


@pytest.fixture(scope="module")
def entries() -> dict[str, tuple[str, str]]:
    """Heading of each entry: its words, and what its cells print."""
    torch.manual_seed(0)
    names: dict = {}
    found: dict[str, tuple[str, str]] = {}
    heading = ""
    for cell in cells_of("clinic"):
        if cell.cell_type == "code":
            _, printed = run_cell(cell.source, names)
            if heading:
                words, before = found[heading]
                found[heading] = words, before + printed
            continue
        for part in re.split(r"^(?=#)", cell.source, flags=re.MULTILINE):
            if part.startswith("#"):
                level, heading = part.splitlines()[0].split(" ", 1)
                heading = heading if level == "###" else ""
                if heading:
                    assert heading not in found, f"two entries are called {heading}"
                    found[heading] = "", ""
            if heading:
                words, printed = found[heading]
                found[heading] = words + part, printed
    return found


def plain(text: str) -> str:
    return text.replace("`", "").replace("'", "").lower()


def test_there_are_entries_enough(entries):
    assert len(entries) >= 40


def test_every_entry_has_cause_cure_and_test(entries):
    wrong = [
        f"{heading}: no {part}"
        for heading, (words, _) in entries.items()
        for part in ("*Cause.*", "*Cure.*", "*Test.*")
        if part not in words
    ]
    assert not wrong, "\n".join(wrong)


def test_every_quoted_message_is_printed(entries):
    wrong, seen = [], set()
    for heading, (_, printed) in entries.items():
        for quoted in re.findall(r'"([^"]+)"', heading):
            if quoted in GPU_ONLY:
                seen.add(quoted)
                continue
            for piece in quoted.split(" ... "):
                piece = piece.replace("input dtype does not match", "does not match")
                if plain(piece) not in plain(printed):
                    wrong.append(f"{piece!r} is not in what {heading!r} prints:\n{printed}")
    assert not wrong, "\n".join(wrong)
    assert seen == GPU_ONLY


def test_the_silent_entries_show_it(entries):
    wrong = [
        f"{heading}:\n{entries[heading][1]}"
        for heading, shown in SILENT.items()
        if not re.search(shown, entries[heading][1])
    ]
    assert not wrong, "\n".join(wrong)
    assert {h for h in entries if h.startswith("Silent:") and entries[h][1]} <= set(SILENT)


def test_the_cures_in_the_text_work():
    """Cures that the page gives in words and does not run."""
    torch.manual_seed(0)
    B, T, D, H = 4, 6, 3, 5
    gru, cell = torch.nn.GRU(D, H, batch_first=True), torch.nn.GRUCell(D, H)
    gru.load_state_dict({key + "_l0": value for key, value in cell.state_dict().items()})
    x = torch.randn(B, T, D)
    h = x.new_zeros(B, H)
    for t in range(T):
        h = cell(x[:, t], h)
    assert torch.allclose(h, gru(x)[1][0], atol=1e-6)
    scores, targets = torch.randn(B, T, 9), torch.randint(9, (B, T))
    flat = torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
    turned = torch.nn.functional.cross_entropy(scores.transpose(1, 2), targets)
    assert torch.allclose(flat, turned)
    elsewhere = torch.nn.GRU(D, H, batch_first=True, device="meta")
    out, _ = elsewhere(x.to("meta"), x.to("meta").new_zeros(1, len(x), H))
    assert out.shape == (B, T, H)
