/* The page of one's own progress: what the quizzes kept in this browser, counted. */
(() => {
  "use strict";

  const remembered = (slug) => {
    try { return JSON.parse(localStorage.getItem(`gatedrnn.quiz.${slug}`)) || {}; } catch { return {}; }
  };

  const start = (box) => {
    const rows = [...box.querySelectorAll("tr[data-quiz]")];
    const total = box.querySelector(".progress-total");

    const count = () => {
      let [right, all] = [0, 0];
      for (const row of rows) {
        // A question that the book no longer asks counts for nothing.
        const ids = row.dataset.questions.split(" ");
        const state = remembered(row.dataset.quiz);
        const done = ids.filter((id) => state[id]?.right).length;
        const tried = ids.some((id) => state[id]);
        row.querySelector(".progress-right").textContent = tried ? done : "\u2013";
        row.dataset.state = done === ids.length ? "right" : "";
        right += done;
        all += ids.length;
      }
      total.textContent = `${right} of ${all} questions answered rightly. This is known to this browser alone.`;
    };

    const forget = document.createElement("button");
    forget.type = "button";
    forget.className = "progress-forget";
    forget.textContent = "Forget all my answers";
    forget.addEventListener("click", () => {
      for (const row of rows) {
        try { localStorage.removeItem(`gatedrnn.quiz.${row.dataset.quiz}`); } catch { /* no memory here */ }
      }
      count();
    });
    box.append(forget);
    window.addEventListener("storage", count); // a quiz answered in another tab
    window.addEventListener("pageshow", count); // and on the way back to this page
    count();
  };

  document.querySelectorAll(".course-progress").forEach(start);
})();
