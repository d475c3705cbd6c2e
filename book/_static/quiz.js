/* Quizzes: buttons, feedback that a screen reader speaks, and answers remembered in this browser.
   The page already holds every text; without this script each question keeps its answers in a <details>. */
(() => {
  "use strict";

  // Some browsers refuse storage for file:// pages; the quiz then works without a memory.
  const memory = {
    read(key) {
      try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return {}; }
    },
    write(key, value) {
      try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* no memory here */ }
    },
    drop(key) {
      try { localStorage.removeItem(key); } catch { /* no memory here */ }
    },
  };

  const make = (tag, attributes = {}, text = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };

  /* "74 496", "74,496.5" and "2,5" are how people write numbers; a lone comma before
     one or two digits is a decimal comma, other commas and spaces only group digits. */
  const readNumber = (text) => {
    let plain = text.trim().replace(/[\s\u00a0\u202f_]/g, "").replace("\u2212", "-");
    plain = /^[^,]*,\d{1,2}$/.test(plain) && !plain.includes(".")
      ? plain.replace(",", ".") : plain.replace(/,/g, "");
    return plain === "" ? NaN : Number(plain);
  };

  class Choice {
    constructor(box, answers) {
      this.options = [...box.querySelectorAll(".quiz-option")].map((row, place) => {
        const because = answers.querySelector(`[data-for="${place}"]`);
        because.hidden = true;
        because.id = `${row.querySelector("input").id}-because`;
        row.append(because);
        return { row, because, input: row.querySelector("input"), right: row.dataset.right === "true" };
      });
    }

    get answer() {
      return this.options.flatMap((o, place) => (o.input.checked ? [place] : []));
    }

    set answer(places) {
      this.options.forEach((o, place) => { o.input.checked = places.includes(place); });
    }

    get given() { return this.answer.length > 0; }

    get inputs() { return this.options.map((o) => o.input); }

    judge() {
      const right = this.options.every((o) => o.input.checked === o.right);
      for (const option of this.options) {
        const shown = right || option.input.checked;
        option.because.hidden = !shown;
        option.row.classList.toggle("is-right", shown && option.right);
        option.row.classList.toggle("is-wrong", shown && !option.right && option.input.checked);
        if (shown) option.input.setAttribute("aria-describedby", option.because.id);
      }
      const wrong = this.options.some((o) => o.input.checked && !o.right);
      if (right) return { right, sentence: "Right." };
      return { right, sentence: wrong ? "Not right: the reason stands below your choice." : "Right so far, but not all of it." };
    }

    clear() {
      for (const option of this.options) {
        option.because.hidden = true;
        option.row.classList.remove("is-right", "is-wrong");
        option.input.removeAttribute("aria-describedby");
      }
    }
  }

  class NumberQuestion {
    constructor(box, answers) {
      this.input = box.querySelector("input");
      this.cases = [...answers.querySelectorAll(".quiz-because")];
      for (const one of this.cases) {
        one.hidden = true;
        box.append(one);
      }
    }

    get answer() { return this.input.value; }

    set answer(text) { this.input.value = text; }

    get given() { return Number.isFinite(readNumber(this.input.value)); }

    get inputs() { return [this.input]; }

    judge() {
      const value = readNumber(this.input.value);
      const hit = this.cases.find((one) => "value" in one.dataset
        && Math.abs(value - Number(one.dataset.value)) <= Number(one.dataset.within))
        ?? this.cases.find((one) => "otherwise" in one.dataset);
      this.clear();
      hit.hidden = false;
      const right = hit.dataset.right === "true";
      hit.classList.toggle("is-right", right);
      hit.classList.toggle("is-wrong", !right);
      return { right, sentence: right ? "Right." : "Not right: the reason stands below." };
    }

    clear() { for (const one of this.cases) one.hidden = true; }
  }

  const start = (form) => {
    const key = `gatedrnn.quiz.${form.dataset.quiz}`;
    const state = memory.read(key);
    const boxes = [...form.querySelectorAll(".quiz-question")];
    const total = make("p", { class: "quiz-total", role: "status" });
    const count = () => {
      const right = boxes.filter((box) => state[box.dataset.id]?.right).length;
      total.textContent = `${right} of ${boxes.length} answered rightly. Your answers stay in this browser.`;
    };

    const restarts = boxes.map((box) => {
      const answers = box.querySelector(".quiz-answers");
      const Kind = box.dataset.kind === "number" ? NumberQuestion : Choice;
      const controls = make("div", { class: "quiz-controls" });
      const button = make("button", { type: "button", class: "quiz-check" }, "Check");
      const status = make("p", { class: "quiz-status", role: "status" });
      controls.append(button, status);
      answers.before(controls);
      const question = new Kind(box, answers);
      answers.remove();

      const show = ({ right, sentence }) => {
        status.textContent = sentence;
        box.dataset.state = right ? "right" : "wrong";
      };
      const check = () => {
        if (!question.given) {
          status.textContent = box.dataset.kind === "number"
            ? "Write a number first." : "Choose an answer first.";
          return;
        }
        const verdict = question.judge();
        show(verdict);
        state[box.dataset.id] = { answer: question.answer, right: verdict.right };
        memory.write(key, state);
        count();
      };
      const forget = () => {
        question.clear();
        status.textContent = "";
        delete box.dataset.state;
      };
      button.addEventListener("click", check);
      for (const input of question.inputs) {
        input.addEventListener("input", forget);
        input.addEventListener("keydown", (event) => {
          if (event.key === "Enter") { event.preventDefault(); check(); }
        });
      }
      const remembered = state[box.dataset.id];
      if (remembered) {
        question.answer = remembered.answer;
        show(question.judge());
      }
      return forget;
    });

    const again = make("button", { type: "button", class: "quiz-again" }, "Forget my answers");
    again.addEventListener("click", () => {
      form.reset();
      restarts.forEach((forget) => forget());
      for (const id of Object.keys(state)) delete state[id];
      memory.drop(key);
      count();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    count();
    form.append(total, again);
    form.dataset.ready = "";
  };

  document.querySelectorAll("form.quiz").forEach(start);
})();
