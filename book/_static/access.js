/* Whatever scrolls sideways in its own box can be reached by keyboard, as long as it does.
   The theme looks once, when the page has loaded; a folded cell or a tab that is closed then has no width. */
(() => {
  "use strict";

  const BOXES = "pre, .pst-scrollable-table-container, div.math, .cell_output";

  const look = (box) => {
    if (!box.clientWidth) return;
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };

  const watch = () => {
    const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => look(target)));
    document.querySelectorAll(BOXES).forEach((box) => observer.observe(box));
  };

  // After the theme's own look, which would take the keyboard from a box that it found closed.
  if (document.readyState === "complete") watch();
  else window.addEventListener("load", watch);
})();
