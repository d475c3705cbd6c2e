/* Four things that the page's own elements do not do by themselves.

   A link into a page stays with what it names while the sections around it are laid out.

   Whatever scrolls sideways in its own box can be reached by keyboard, as long as it does.

   A formula in a text that is copied is its TeX.

   Paper is white, and cannot be unfolded: a page prints in the light colours, with everything open. */
(() => {
  "use strict";

  const BOXES = "pre, .pst-scrollable-table-container, .tex-box, .cell_output";

  /* All is read before anything is written, or each box would lay the page out again. */
  const look = (entries) => {
    const boxes = entries.map(({ target }) => target).filter((box) => box.clientWidth);
    const scrolls = boxes.map((box) => box.scrollWidth > box.clientWidth);
    boxes.forEach((box, i) => {
      if (scrolls[i]) box.tabIndex = 0;
      else if (box.hasAttribute("tabindex")) box.removeAttribute("tabindex");
    });
  };

  const observer = new ResizeObserver(look);
  document.querySelectorAll(BOXES).forEach((box) => observer.observe(box));

  const root = document.documentElement;
  let before = null;
  const print = ({ matches }) => {
    if (matches && !before) {
      const folded = [...document.querySelectorAll("article details:not([open])")];
      before = { theme: root.dataset.theme, folded };
      root.dataset.theme = "light";
      folded.forEach((box) => { box.open = true; });
    } else if (!matches && before) {
      root.dataset.theme = before.theme;
      before.folded.forEach((box) => { box.open = false; });
      before = null;
    }
  };
  matchMedia("print").addEventListener("change", print);

  document.addEventListener("copy", (event) => {
    const chosen = getSelection();
    if (chosen.isCollapsed || document.activeElement.matches("input, textarea")) return;
    const copied = chosen.getRangeAt(0).cloneContents();
    const drawings = copied.querySelectorAll("svg.tex");
    if (!drawings.length) return;
    copied.querySelectorAll(".tex-read, .symbols-button").forEach((words) => words.remove());
    drawings.forEach((drawing) => drawing.replaceWith(`$${drawing.dataset.tex}$`));
    const holder = document.createElement("div");
    holder.append(copied);
    event.clipboardData.setData("text/plain", holder.textContent);
    event.preventDefault();
  });

  /* A section is laid out when it comes near, and then moves what stands below it. */
  const stayWithTarget = () => {
    const target = document.getElementById(decodeURI(location.hash.slice(1)));
    let frames = target ? 20 : 0;
    const letGo = () => { frames = 0; };
    const inputs = ["wheel", "touchstart", "pointerdown", "keydown"];
    inputs.forEach((name) => addEventListener(name, letGo, { once: true, passive: true }));
    const step = () => {
      if (frames-- <= 0) return;
      target.scrollIntoView({ behavior: "instant" });
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  addEventListener("hashchange", stayWithTarget);
  const [came] = performance.getEntriesByType("navigation");
  if (location.hash && came?.type === "navigate") addEventListener("load", stayWithTarget);
})();
