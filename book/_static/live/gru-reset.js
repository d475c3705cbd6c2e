/* The live figure of the two places of the reset: two units, both candidates side by side. */
(() => {
  "use strict";

  const { show, Figure, start } = globalThis.gatedrnnLive;

  const UNITS = [1, 2];

  /* The candidates of two units in both forms. `apart` is what the form "after" has more inside the
     tanh; a part of it comes from hearing the other unit, and a part from the bias. */
  const candidates = (v) => UNITS.map((i) => {
    const other = 3 - i;
    const [r, h, w, b] = [v[`r${i}`], v[`h${i}`], v[`w${i}${i}`], v.b];
    const [r_other, h_other, w_other] = [v[`r${other}`], v[`h${other}`], v[`w${i}${other}`]];
    const heard = w * h + w_other * h_other + b;
    const after = r * heard;
    const before = w * (r * h) + w_other * (r_other * h_other) + b;
    return {
      heard, after, before,
      n_after: Math.tanh(v.u + after),
      n_before: Math.tanh(v.u + before),
      apart: { hearing: w_other * (r - r_other) * h_other, bias: (r - 1) * b },
    };
  });

  const START = {
    r1: 0.9, r2: 0.2, h1: 0.8, h2: -0.6, w11: 0.5, w12: 1.5, w21: -1, w22: 0.8, b: 0, u: 0,
  };
  const SLIDERS = [
    { key: "r1", name: "reset r of 1", min: 0, max: 1, of: "reset" },
    { key: "r2", name: "reset r of 2", min: 0, max: 1, of: "reset" },
    { key: "h1", name: "state h of 1", min: -1, max: 1, of: "state" },
    { key: "h2", name: "state h of 2", min: -1, max: 1, of: "state" },
  ];
  const WEIGHTS = [
    { key: "w11", name: "W: 1 to 1" }, { key: "w12", name: "W: 2 to 1" },
    { key: "w21", name: "W: 1 to 2" }, { key: "w22", name: "W: 2 to 2" },
    { key: "b", name: "bias b_hn" }, { key: "u", name: "from the input" },
  ].map((weight) => ({ min: -3, max: 3, of: "candidate", ...weight }));
  const ALONE = { w12: 0, w21: 0 };
  const PRESETS = [
    { name: "As at first", values: START },
    { name: "Both resets open", values: { ...START, r1: 1, r2: 1, b: 1 } },
    { name: "One reset for both", values: { ...START, r1: 0.5, r2: 0.5 } },
    { name: "Each unit alone", values: { ...START, ...ALONE } },
    { name: "Alone, with a bias", values: { ...START, ...ALONE, b: 1 } },
  ];

  const UNSEEN = 5e-4;

  const reason = (v) => {
    if (v.r1 === 1 && v.r2 === 1) return "Both resets are open, so it does not matter where they stand.";
    if (v.b === 0 && v.w12 === 0 && v.w21 === 0) {
      return "No unit hears the other and there is no bias: each has one product, in any order.";
    }
    if (v.b === 0 && v.r1 === v.r2) return "One number for both units may stand on either side of a matrix.";
    return "For these values the differences cancel or vanish.";
  };

  const inWords = (v, both) => {
    const said = both.map((c, index) =>
      `Unit ${index + 1}: candidate ${show(c.n_after)} after, ${show(c.n_before)} before.`).join(" ");
    const parts = both.map(({ apart }) => [apart.hearing, apart.bias]);
    if (parts.flat().every((part) => Math.abs(part) < UNSEEN)) return `${said} They agree. ${reason(v)}`;
    const gaps = parts.map(([hearing, bias], index) =>
      `in unit ${index + 1} by ${show(hearing + bias)}, of which ${show(hearing)} is from hearing ` +
      `the other unit and ${show(bias)} from the bias`).join("; ");
    return `${said} Inside the tanh they differ ${gaps}.`;
  };

  /* The geometry of the drawing. */
  const thickness = (value) => (1 + 7 * Math.min(1.4, Math.abs(value))).toFixed(2);
  const RADIUS = 19;
  const AXIS = { zero: 200, unit: 130 };
  const place = (value) => (AXIS.zero + AXIS.unit * value).toFixed(2);

  class GruReset extends Figure {
    constructor(root) {
      super(root, "reset", START);
    }

    build() {
      this.sliders(SLIDERS);
      this.presets(PRESETS);
      this.sliders(WEIGHTS, this.more("The weights, the bias and the input"));
    }

    draw(v) {
      const both = candidates(v);
      const lines = {};
      both.forEach((c, index) => {
        const i = index + 1;
        for (const j of UNITS) {
          lines[`after-${i}${j}`] = v[`w${i}${j}`] * v[`h${j}`];
          lines[`before-${i}${j}`] = v[`w${i}${j}`] * v[`r${j}`] * v[`h${j}`];
        }
        Object.assign(lines, {
          [`heard-${i}`]: c.heard, [`after-${i}`]: c.after, [`before-${i}`]: c.before, [`h-${i}`]: v[`h${i}`],
        });
        const span = this.find("span", i);
        span.setAttribute("x1", place(c.n_after));
        span.setAttribute("x2", place(c.n_before));
        for (const form of ["after", "before"]) {
          const name = `${form}-${i}`;
          this.find("mark", name).setAttribute("transform", `translate(${place(c[`n_${form}`])} 0)`);
          const fill = this.find("gate", name);
          const r = v[`r${i}`];
          fill.setAttribute("y", (Number(fill.dataset.centre) + RADIUS - 2 * RADIUS * r).toFixed(2));
          fill.setAttribute("height", (2 * RADIUS * r).toFixed(2));
          this.write({
            [`n-${name}`]: show(c[`n_${form}`]), [`r-${name}`]: show(r), [`h-${name}`]: show(v[`h${i}`]),
          });
        }
      });
      for (const [name, value] of Object.entries(lines)) {
        this.find("line", name).setAttribute("stroke-width", thickness(value));
      }
      return inWords(v, both);
    }
  }

  globalThis.gatedrnnLive.gruReset = { candidates, START };
  start(".live-gru-reset", GruReset);
})();
