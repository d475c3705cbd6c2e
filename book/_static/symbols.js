/* What the symbols of a formula mean, for touch and for the keyboard.

   Under a pointer each symbol says it by itself. A tap on a formula, or the button below a displayed
   one, opens a note that lists them all; Escape, or a tap elsewhere, closes it. */
(() => {
  "use strict";

  const main = document.querySelector("main");
  if (!main || !("popover" in HTMLElement.prototype)) return;

  const note = document.createElement("div");
  note.className = "symbols-note";
  note.id = "symbols-note";
  note.popover = "auto";
  note.tabIndex = -1;
  note.setAttribute("role", "group");
  note.setAttribute("aria-label", "Symbols of the formula");
  main.append(note);

  /* "h_t\u22121" as h with a small t\u22121 below. */
  const symbol = (name) => {
    const [letter, ...below] = name.split("_");
    const sign = document.createElement("i");
    sign.append(letter);
    if (!below.length) return [sign];
    const sub = document.createElement("sub");
    sub.append(below.join("_"));
    return [sign, sub];
  };

  const fill = (drawing) => {
    const meanings = new Map();
    drawing.querySelectorAll("rect[data-of]").forEach((place) => {
      meanings.set(place.dataset.of, place.querySelector("title").textContent);
    });
    const list = document.createElement("dl");
    meanings.forEach((meaning, name) => {
      const [term, words] = [document.createElement("dt"), document.createElement("dd")];
      term.append(...symbol(name));
      words.append(meaning);
      list.append(term, words);
    });
    note.replaceChildren(list);
    return meanings.size;
  };

  /* Below the formula, or above it where there is no room, and never wider than the window. */
  const place = (around) => {
    const box = around.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = note;
    const edge = 8;
    const room = document.documentElement.clientWidth - width - edge;
    const below = box.bottom + edge + height <= innerHeight || box.top - edge - height < 0;
    note.style.left = `${scrollX + Math.max(edge, Math.min(box.left, room))}px`;
    note.style.top = `${scrollY + (below ? box.bottom + edge : box.top - edge - height)}px`;
  };

  const open = (drawing, around) => {
    if (!fill(drawing)) return false;
    note.showPopover();
    place(around);
    return true;
  };

  let shown = null;  // the formula whose note was open when the finger came down
  document.addEventListener("pointerdown", () => {
    shown = note.matches(":popover-open") ? note.of : null;
  }, { capture: true });
  note.addEventListener("toggle", (event) => {
    document.querySelectorAll(".symbols-button").forEach((button) => {
      const its = event.newState === "open" && button.parentElement.contains(note.of);
      button.setAttribute("aria-expanded", String(its));
    });
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".symbols-button");
    const drawing = button ? button.parentElement.querySelector("svg.tex")
      : event.target.closest("svg.tex");
    if (!drawing || shown === drawing) return;
    /* A formula in a link, a label or a heading that folds belongs to these, and a text that is
       being chosen stays chosen. */
    if (!button && (event.target.closest("a, button, label, summary")
      || !getSelection().isCollapsed)) return;
    note.of = drawing;
    if (open(drawing, button || drawing) && button) note.focus();
  });

  document.addEventListener("keydown", (event) => {
    if (!note.matches(":popover-open")) return;
    /* Tab goes back to the button, and on from there. */
    if (event.key === "Escape" || event.key === "Tab") note.hidePopover();
  });

  document.querySelectorAll(".symbols-button").forEach((button) => {
    button.hidden = false;
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", note.id);
  });
})();
