/* The live figure of the GRU chapter: one unit of a GRU, computed in the page. */
(() => {
  "use strict";

  const { sigmoid, show, Figure, start } = globalThis.gatedrnnLive;

  /* One step of a GRU with one unit. `reset` is "after" or "before" the recurrent product, `sense`
     is "keeps" or "writes", what z near 1 does to the old state. */
  const step = (v) => {
    const r = sigmoid(v.w_ir * v.x + v.w_hr * v.h + v.b_r);
    const z = sigmoid(v.w_iz * v.x + v.w_hz * v.h + v.b_z);
    const input = v.w_in * v.x + v.b_in;
    const past = v.reset === "before" ? v.w_hn * (r * v.h) + v.b_hn : r * (v.w_hn * v.h + v.b_hn);
    const n = Math.tanh(input + past);
    const keep = v.sense === "writes" ? 1 - z : z;
    const kept = keep * v.h;
    const written = (1 - keep) * n;
    return { r, z, input, past, n, keep, kept, written, next: kept + written };
  };

  const START = {
    x: 0.8, h: -0.6, b_r: 0, b_z: 0.5,
    w_ir: 1, w_hr: -0.5, w_iz: -1, w_hz: 0.5, w_in: 1.2, w_hn: 1.5, b_in: 0, b_hn: 0.4,
    reset: "after", sense: "keeps",
  };

  // A bias of ten drives a gate so near to 0 or 1 that two decimals show nothing else.
  const SLIDERS = [
    { key: "x", name: "input x", min: -2, max: 2, of: "input" },
    { key: "h", name: "old state h", min: -1, max: 1, of: "state" },
    { key: "b_r", name: "bias of r", min: -10, max: 10, of: "reset" },
    { key: "b_z", name: "bias of z", min: -10, max: 10, of: "update" },
  ];
  const WEIGHTS = [
    { key: "w_ir", name: "x to r", of: "reset" }, { key: "w_hr", name: "h to r", of: "reset" },
    { key: "w_iz", name: "x to z", of: "update" }, { key: "w_hz", name: "h to z", of: "update" },
    { key: "w_in", name: "x to n", of: "candidate" },
    { key: "w_hn", name: "h to n", of: "candidate" },
    { key: "b_in", name: "bias b_in", of: "candidate" },
    { key: "b_hn", name: "bias b_hn", of: "candidate" },
  ].map((weight) => ({ min: -3, max: 3, ...weight }));
  const CHOICES = [
    { key: "reset", legend: "The reset acts", options: [
      ["after", "after the product (PyTorch)"], ["before", "before it (2014 paper)"]] },
    { key: "sense", legend: "z near 1", options: [
      ["keeps", "keeps the old state (PyTorch)"], ["writes", "writes the candidate"]] },
  ];
  const PRESETS = [
    { name: "Keep", values: { b_z: 10, sense: "keeps" } },
    { name: "Write", values: { b_z: -10, sense: "keeps" } },
    { name: "Reset, but keep", values: { b_r: -10, b_z: 10, sense: "keeps" } },
    { name: "Start fresh", values: { b_r: -10, b_z: -10, b_hn: 0, sense: "keeps" } },
    { name: "As at first", values: START },
  ];

  /* The sentences that a reader hears, and that say what the drawing shows. */
  const inWords = (v, s) => {
    const past = s.r < 0.005 ? "none" : s.r > 0.995 ? "all" : `${show(100 * s.r, 0)} %`;
    const where = v.reset === "before" ? "of the old state" : "of the recurrent product";
    return `The candidate reads ${past} ${where} and is ${show(s.n)}. ` +
      `The unit keeps ${show(100 * s.keep, 0)} % of the old state ${show(v.h)} and writes ` +
      `${show(100 * (1 - s.keep), 0)} % of the candidate: the new state is ${show(s.next)}.`;
  };

  /* The geometry of the drawing: how thick a line is, how full a gate, where a value lies. */
  const thickness = (value) => 1.5 + 9 * Math.min(1.2, Math.abs(value));
  const RADIUS = 21;
  const AXIS = { zero: 180, unit: 140 };

  class GruStep extends Figure {
    constructor(root) {
      super(root, "gru", START);
    }

    build() {
      this.sliders(SLIDERS);
      this.presets(PRESETS);
      this.choices(CHOICES);
      this.sliders(WEIGHTS, this.more("The other weights"));
    }

    draw(v) {
      const s = step(v);
      const lines = { h: v.h, kept: s.kept, next: s.next, past: s.past, input: s.input, n: s.n,
        written: s.written };
      for (const [name, value] of Object.entries(lines)) {
        this.find("line", name).setAttribute("stroke-width", thickness(value).toFixed(2));
      }
      for (const [name, share] of Object.entries({ r: s.r, keep: s.keep, write: 1 - s.keep })) {
        const fill = this.find("gate", name);
        const centre = Number(fill.dataset.centre);
        fill.setAttribute("y", (centre + RADIUS - 2 * RADIUS * share).toFixed(2));
        fill.setAttribute("height", (2 * RADIUS * share).toFixed(2));
      }
      const place = (value) => (AXIS.zero + AXIS.unit * value).toFixed(2);
      for (const [name, value] of Object.entries({ h: v.h, n: s.n, next: s.next })) {
        this.find("mark", name).setAttribute("transform", `translate(${place(value)} 0)`);
      }
      const between = this.find("span", "mix");
      between.setAttribute("x1", place(v.h));
      between.setAttribute("x2", place(s.n));
      const keeps = v.sense === "keeps";
      this.write({ x: show(v.x), h: show(v.h), r: show(s.r), z: show(s.z), n: show(s.n),
        next: show(s.next), keep: keeps ? "z" : "1 \u2212 z", write: keeps ? "1 \u2212 z" : "z",
        past: v.reset === "before" ? "W(r h) + b" : "r(W h + b)" });
      return inWords(v, s);
    }
  }

  globalThis.gatedrnnLive.gruStep = { step, START };
  start(".live-gru-step", GruStep);
})();
