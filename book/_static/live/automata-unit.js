/* The live figure of the chapter on what gates can compute: one unit of a GRU reads a string of bits.

   `run` and `shapes` are the whole arithmetic. */
(() => {
  "use strict";

  const { sigmoid, show, Figure, start } = globalThis.gatedrnnLive;

  const OPEN = 10; // the sum of the reset gate, which is left open throughout

  /* One step: every number is in units of the saturation factor k. */
  const step = (v, x, h) => {
    const z = sigmoid(v.k * (v.w_z * x + v.b_z));
    const n = Math.tanh(v.k * (v.w_n * x + v.b_n) + sigmoid(OPEN) * (v.k * v.w_h * h));
    return (1 - z) * n + z * h;
  };

  /* The state after each bit of v.bits, from v.h0, which comes first. */
  const run = (v) => {
    const states = [v.h0];
    for (const bit of v.bits) states.push(step(v, Number(bit), states[states.length - 1]));
    return states;
  };

  const START = { k: 5, w_z: -2, b_z: 1, w_n: 2, b_n: 0, w_h: 1, h0: -1, bits: "0001001000" };
  const LONGEST = 24;

  /* Where things stand in the drawing: a square portrait, and below it the states over time. */
  const SQUARE = { left: 40, top: 18, size: 150 };
  const TRACE = { left: 40, right: 346, top: 218, bottom: 298 };
  const across = (h) => SQUARE.left + (SQUARE.size * (h + 1)) / 2;
  const up = (h) => SQUARE.top + (SQUARE.size * (1 - h)) / 2;
  const line = (points) => "M" + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");

  const shapes = (v) => {
    const grid = Array.from({ length: 61 }, (_, i) => i / 30 - 1);
    const states = run(v);
    const wide = (TRACE.right - TRACE.left) / Math.max(1, states.length - 1);
    const level = (h) => (TRACE.top + TRACE.bottom) / 2 - ((TRACE.bottom - TRACE.top) / 2) * h;
    return {
      zero: line(grid.map((h) => [across(h), up(step(v, 0, h))])),
      one: line(grid.map((h) => [across(h), up(step(v, 1, h))])),
      trace: line(states.map((h, t) => [TRACE.left + wide * t, level(h)])),
      letters: [...v.bits].map((_, t) => TRACE.left + wide * (t + 1)),
    };
  };

  const side = (h) => (h >= 0.5 ? "on" : h <= -0.5 ? "off" : "on neither side");

  /* The first bit after which the state is not what the machine should hold, or 0. */
  const firstWrong = (v, machine) => {
    let want = v.h0 > 0 ? 1 : -1;
    const states = run(v);
    for (let t = 1; t < states.length; t += 1) {
      if (v.bits[t - 1] === "1") want = machine === "toggle" ? -want : 1;
      if (states[t] * want < 0.5) return t;
    }
    return 0;
  };

  const SLIDERS = [
    { key: "k", name: "factor k", min: 0.5, max: 10, step: 0.1, of: "state" },
    { key: "h0", name: "start h0", min: -1, max: 1, step: 0.05, of: "state" },
    { key: "w_z", name: "z: from x", of: "update" }, { key: "b_z", name: "z: bias", of: "update" },
    { key: "w_n", name: "n: from x", of: "candidate" }, { key: "w_h", name: "n: from h", of: "candidate" },
    { key: "b_n", name: "n: bias", of: "candidate" },
  ].map((slider) => ({ min: -4, max: 4, step: 0.25, ...slider }));
  const PRESETS = [
    { name: "Once a 1", values: START },
    { name: "The same, leaking", values: { ...START, k: 3, w_h: 0, bits: "000100000000000000000000" } },
    { name: "Hard threshold", values: { ...START, k: 0.5 } },
    { name: "Plain unit", values: { ...START, w_z: 0, b_z: -4 } },
    { name: "A toggle", values: { ...START, w_n: 0, w_h: -1 } },
  ];

  const verdict = (v, machine, words) => {
    const wrong = firstWrong(v, machine);
    return wrong ? `As ${words} it is wrong after bit ${wrong}.` : `As ${words} it is right after every bit.`;
  };

  class AutomataUnit extends Figure {
    constructor(root) {
      super(root, "automata", START);
    }

    build() {
      const box = this.sliders(SLIDERS);
      box.prepend(this.text({
        key: "bits", name: "bits", of: "input",
        clean: (typed) => typed.replace(/[^01]/g, "").slice(0, LONGEST),
        attributes: { inputmode: "numeric", maxlength: LONGEST },
      }));
      this.presets(PRESETS);
    }

    draw(v) {
      const states = run(v);
      const { zero, one, trace, letters } = shapes(v);
      for (const [name, path] of Object.entries({ zero, one, trace })) {
        this.find("path", name).setAttribute("d", path);
      }
      const bits = this.svg.querySelector("[data-bits]");
      bits.replaceChildren(...letters.map((x, t) => {
        const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
        text.setAttribute("x", x.toFixed(1));
        text.setAttribute("y", bits.dataset.bits);
        text.textContent = v.bits[t];
        return text;
      }));
      const last = states[states.length - 1];
      return `After ${v.bits.length} bits the state is ${show(last)}: ${side(last)}. ` +
        `${verdict(v, "latch", "a latch that a 1 sets")} ${verdict(v, "toggle", "a toggle")}`;
    }
  }

  globalThis.gatedrnnLive.automataUnit = { step, run, shapes, firstWrong, START };
  start(".live-automata-unit", AutomataUnit);
})();
