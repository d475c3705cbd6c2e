/* The live figure of the chapter on gradients: how much of one is left after k steps.

   Three small networks are drawn from a seed, read the same 100 inputs, and the Jacobians of their
   steps are multiplied from the last one back, as in equation eq-lag-jacobian. */
(() => {
  "use strict";

  const { sigmoid, show, Figure, start } = globalThis.gatedrnnLive;

  const H = 24; // units
  const D = 8; // inputs
  const T = 100; // steps
  const BLOCKS = { RNN: 1, GRU: 3, LSTM: 4 };

  /* Numbers in [0, 1) from a seed: mulberry32, which any language can repeat bit by bit. */
  const mulberry32 = (seed) => {
    let a = seed >>> 0;
    return () => {
      a = (a + 0x6d2b79f5) >>> 0;
      let t = Math.imul(a ^ (a >>> 15), a | 1);
      t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  };

  /* C = A B, all H x H and row by row. */
  const product = (A, B, C) => {
    C.fill(0);
    for (let i = 0; i < H; i += 1) {
      for (let k = 0; k < H; k += 1) {
        const a = A[i * H + k];
        for (let j = 0; j < H; j += 1) C[i * H + j] += a * B[k * H + j];
      }
    }
    return C;
  };

  /* The largest size of an eigenvalue, by Gelfand's formula: the root of the norm of a high power. */
  const spectralRadius = (W) => {
    let power = Float64Array.from(W);
    let log = 0;
    for (let doublings = 0; doublings < 45; doublings += 1) {
      const norm = Math.sqrt(power.reduce((sum, value) => sum + value * value, 0));
      log += Math.log(norm) / 2 ** doublings;
      power.forEach((value, i) => { power[i] = value / norm; });
      power = product(power, power, new Float64Array(H * H));
    }
    return Math.exp(log);
  };

  /* The weights and inputs of a seed. Each recurrent block is scaled to spectral radius 1; the input
     weights are as PyTorch draws them; the inputs have variance 1. */
  const network = (cell, seed) => {
    const next = mulberry32(seed);
    const draw = (count, size) => Float64Array.from({ length: count }, () => size * (2 * next() - 1));
    const x = draw(T * D, Math.sqrt(3));
    const h0 = draw(H, 1e-3);
    const W_ih = draw(BLOCKS[cell] * H * D, 1 / Math.sqrt(H));
    const W_hh = Array.from({ length: BLOCKS[cell] }, () => draw(H * H, 1));
    for (const block of W_hh) {
      const radius = spectralRadius(block);
      block.forEach((value, i) => { block[i] = value / radius; });
    }
    return { x, h0, W_ih, W_hh };
  };

  const known = new Map();
  const remembered = (cell, seed) => {
    const key = `${cell} ${seed}`;
    if (!known.has(key)) known.set(key, network(cell, seed));
    return known.get(key);
  };

  /* S = sum over blocks of diag(d) W, plus diag(rest): the Jacobian of a step. */
  const assemble = (diagonals, blocks, scale, rest, S) => {
    for (let i = 0; i < H; i += 1) {
      for (let j = 0; j < H; j += 1) {
        let sum = 0;
        for (let b = 0; b < blocks.length; b += 1) sum += diagonals[b][i] * blocks[b][i * H + j];
        S[i * H + j] = scale * sum;
      }
      if (rest) S[i * H + i] += rest[i];
    }
    return S;
  };

  const scaleColumns = (P, d, Q) => {
    for (let i = 0; i < H; i += 1) for (let j = 0; j < H; j += 1) Q[i * H + j] = P[i * H + j] * d[j];
    return Q;
  };

  const vector = () => new Float64Array(H);
  const matrix = () => new Float64Array(H * H);

  /* Read all inputs; at each step call `step(i, sums, own)` for unit i with the sums of its blocks
     (inputs, bias and, in `own`, the recurrent products) and keep what it returns. */
  const forward = (cell, v, step) => {
    const { x, h0, W_ih, W_hh } = remembered(cell, v.seed);
    const blocks = W_hh.length;
    const sums = new Float64Array(blocks);
    const own = new Float64Array(blocks);
    let h = h0;
    for (let t = 0; t < T; t += 1) {
      const next = vector();
      for (let i = 0; i < H; i += 1) {
        for (let b = 0; b < blocks; b += 1) {
          let input = 0;
          for (let d = 0; d < D; d += 1) input += W_ih[(b * H + i) * D + d] * v.size * x[t * D + d];
          let past = 0;
          for (let j = 0; j < H; j += 1) past += W_hh[b][i * H + j] * h[j];
          // The second block is the update gate z of a GRU and the forget gate f of an LSTM.
          sums[b] = input + (b === 1 ? v.bias : 0);
          own[b] = v.radius * past;
        }
        next[i] = step(t, i, sums, own, h[i]);
      }
      h = next;
    }
  };

  const steps = (count) => Array.from({ length: T }, () => Array.from({ length: count }, vector));

  /* Each cell: run forward and keep the diagonals of every step's Jacobian; return how a product P
     that ends at a state is carried one step back. */
  const CELLS = {
    RNN: (v) => {
      const kept = steps(1);
      forward("RNN", v, (t, i, sums, own) => {
        const h = Math.tanh(sums[0] + own[0]);
        kept[t][0][i] = 1 - h * h;
        return h;
      });
      const { W_hh } = remembered("RNN", v.seed);
      const S = matrix();
      return (P, t) => ({ h: product(P.h, assemble(kept[t], W_hh, v.radius, null, S), matrix()) });
    },

    GRU: (v) => {
      const kept = steps(4);
      forward("GRU", v, (t, i, sums, own, h) => {
        const r = sigmoid(sums[0] + own[0]);
        const z = sigmoid(sums[1] + own[1]);
        const n = Math.tanh(sums[2] + r * own[2]);
        const into_n = (1 - z) * (1 - n * n);
        kept[t][0][i] = into_n * own[2] * r * (1 - r);
        kept[t][1][i] = (h - n) * z * (1 - z);
        kept[t][2][i] = into_n * r;
        kept[t][3][i] = z;
        return (1 - z) * n + z * h;
      });
      const { W_hh } = remembered("GRU", v.seed);
      const S = matrix();
      return (P, t) => ({
        h: product(P.h, assemble(kept[t], W_hh, v.radius, kept[t][3], S), matrix()),
      });
    },

    LSTM: (v) => {
      const kept = steps(6);
      const c = vector();
      forward("LSTM", v, (t, unit, sums, own) => {
        const [i, f, g, o] = sums.map((sum, b) => (b === 2 ? Math.tanh : sigmoid)(sum + own[b]));
        const old = c[unit];
        c[unit] = f * old + i * g;
        const squashed = Math.tanh(c[unit]);
        kept[t][0][unit] = g * i * (1 - i);
        kept[t][1][unit] = old * f * (1 - f);
        kept[t][2][unit] = i * (1 - g * g);
        kept[t][3][unit] = f;
        kept[t][4][unit] = o * (1 - squashed * squashed);
        kept[t][5][unit] = squashed * o * (1 - o);
        return o * squashed;
      });
      const { W_hh } = remembered("LSTM", v.seed);
      const into_c = W_hh.slice(0, 3);
      const [S, Q, via_o, added] = [matrix(), matrix(), matrix(), matrix()];
      return (P, t) => {
        // What reaches c at this step: through h = o tanh(c), and from the steps after it.
        scaleColumns(P.h, kept[t][4], Q).forEach((value, i) => { Q[i] = value + P.c[i]; });
        assemble([kept[t][5]], [W_hh[3]], v.radius, null, S);
        product(P.h, S, via_o);
        product(Q, assemble(kept[t], into_c, v.radius, null, S), added);
        const h = matrix();
        h.forEach((_, i) => { h[i] = added[i] + via_o[i]; });
        return { h, c: scaleColumns(Q, kept[t][3], matrix()) };
      };
    },
  };

  /* The largest eigenvalue of a symmetric matrix with none below zero, which is overwritten:
     Householder's reflections make it tridiagonal, then bisection counts signs. */
  const largestEigenvalue = (A) => {
    const u = vector();
    const p = vector();
    const squares = vector();
    for (let k = 0; k < H - 2; k += 1) {
      let size = 0;
      for (let i = k + 1; i < H; i += 1) { u[i] = A[i * H + k]; size += u[i] * u[i]; }
      squares[k + 1] = size;
      const rest = size - u[k + 1] * u[k + 1];
      if (rest === 0) continue;
      u[k + 1] += u[k + 1] < 0 ? -Math.sqrt(size) : Math.sqrt(size);
      const scale = 2 / (rest + u[k + 1] * u[k + 1]);
      let inner = 0;
      for (let i = k + 1; i < H; i += 1) {
        p[i] = 0;
        for (let j = k + 1; j < H; j += 1) p[i] += A[i * H + j] * u[j];
        p[i] *= scale;
        inner += p[i] * u[i];
      }
      for (let i = k + 1; i < H; i += 1) p[i] -= (scale * inner * u[i]) / 2;
      for (let i = k + 1; i < H; i += 1) {
        for (let j = k + 1; j < H; j += 1) A[i * H + j] -= u[i] * p[j] + p[i] * u[j];
      }
    }
    squares[H - 1] = A[(H - 1) * H + H - 2] ** 2;
    let low = 0;
    let high = 0;
    for (let i = 0; i < H; i += 1) high += A[i * H + i]; // the trace, which is at least as large
    for (let halvings = 0; halvings < 55; halvings += 1) {
      const middle = (low + high) / 2;
      let q = 1;
      let below = true;
      for (let i = 0; i < H && below; i += 1) {
        q = A[i * H + i] - middle - (i ? squares[i] / q : 0);
        below = q < 0;
      }
      if (below) high = middle; else low = middle;
    }
    return high;
  };

  const spectralNorm = (P) => {
    let size = 0;
    for (const value of P) size = Math.max(size, Math.abs(value));
    if (size === 0) return 0;
    const square = matrix();
    for (let i = 0; i < H; i += 1) {
      for (let j = 0; j <= i; j += 1) {
        let sum = 0;
        for (let k = 0; k < H; k += 1) sum += (P[i * H + k] / size) * (P[j * H + k] / size);
        square[i * H + j] = sum;
        square[j * H + i] = sum;
      }
    }
    return size * Math.sqrt(largestEigenvalue(square));
  };

  /* The norms of d h_T / d h_{T-k} for k = 0 to 100. */
  const norms = (cell, v) => {
    const back = CELLS[cell](v);
    let P = { h: matrix(), c: matrix() };
    for (let i = 0; i < H; i += 1) P.h[i * H + i] = 1;
    const found = [1];
    for (let t = T - 1; t >= 0; t -= 1) {
      P = back(P, t);
      found.push(spectralNorm(P.h));
    }
    return found;
  };

  /* The factor for each step back: a line through the logarithms, equation eq-decay-rate. */
  const rate = (values) => {
    const rows = values.map((value, k) => [k, Math.log(value)]).filter((row) => Number.isFinite(row[1]));
    const mean = (of) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
    const [k, log] = [mean((row) => row[0]), mean((row) => row[1])];
    return Math.exp(mean((row) => (row[0] - k) * (row[1] - log)) / mean((row) => (row[0] - k) ** 2));
  };

  const START = { bias: 0, radius: 0.6, size: 1, lag: 50, seed: 1, cells: ["RNN", "GRU", "LSTM"] };
  const SLIDERS = [
    { key: "bias", name: "bias of z, f", min: -4, max: 8, step: 0.1, of: "update", places: 1 },
    { key: "lag", name: "lag k", min: 0, max: T, step: 1, of: "gradient", places: 0 },
    { key: "radius", name: "radius of W", min: 0.1, max: 2, of: "state" },
    { key: "size", name: "size of inputs", min: 0, max: 3, of: "input" },
  ];
  const CHOICES = [{ key: "cells", legend: "Cells", kind: "checkbox", options: [
    ["RNN", "RNN"], ["GRU", "GRU"], ["LSTM", "LSTM"]] }];
  const PRESETS = [
    { name: "Much as PyTorch starts", values: { bias: 0, radius: 0.6, size: 1 } },
    { name: "A bias of 4", values: { bias: 4, radius: 0.6, size: 1 } },
    { name: "No inputs, radius 1", values: { bias: 0, radius: 1, size: 0 } },
    { name: "Exploding", values: { bias: 0, radius: 1.5, size: 0 } },
    { name: "Other weights", values: (v) => ({ seed: v.seed + 1 }) },
  ];

  const RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
  const power = (value) => {
    if (value === 0) return "0";
    if (value >= 1e-3 && value < 1e3) return String(Number(value.toPrecision(2)));
    const [digits, exponent] = value.toExponential(1).split("e");
    const raised = [...String(Math.abs(exponent))].map((digit) => RAISED[digit]).join("");
    return `${digits} \u00d7 10${exponent < 0 ? "\u207b" : ""}${raised}`;
  };

  /* The geometry of the drawing: lags to the right, powers of ten upwards. */
  const PLOT = { left: 46, right: 346, top: 34, bottom: 244, most: 5, least: -20 };
  const across = (k) => PLOT.left + ((PLOT.right - PLOT.left) * k) / T;
  const up = (value) => {
    const log = Math.min(PLOT.most, Math.max(PLOT.least, Math.log10(value)));
    return PLOT.bottom - ((PLOT.bottom - PLOT.top) * (log - PLOT.least)) / (PLOT.most - PLOT.least);
  };
  /* A line ends where it leaves the plot. */
  const path = (values) => {
    const shown = (value) => value >= 10 ** PLOT.least && value <= 10 ** PLOT.most;
    let end = values.findIndex((value) => !shown(value));
    end = end < 0 ? values.length : end + 1;
    return "M" + values.slice(0, end).map((value, k) => `${across(k).toFixed(1)} ${up(value).toFixed(1)}`)
      .join("L");
  };

  class GradientLag extends Figure {
    constructor(root) {
      super(root, "lag", START);
    }

    build() {
      this.sliders(SLIDERS);
      this.presets(PRESETS);
      this.choices(CHOICES);
    }

    draw(v) {
      const copied = Array.from({ length: T + 1 }, (_, k) => sigmoid(v.bias) ** k);
      this.find("path", "copy").setAttribute("d", path(copied));
      this.write({ copy: power(copied[v.lag]), lag: `at lag ${v.lag}` });
      const line = this.find("path", "lag");
      line.setAttribute("d", `M${across(v.lag).toFixed(1)} ${PLOT.top}V${PLOT.bottom}`);
      const said = [];
      for (const cell of Object.keys(BLOCKS)) {
        const group = this.find("cell", cell);
        group.setAttribute("visibility", v.cells.includes(cell) ? "visible" : "hidden");
        if (!v.cells.includes(cell)) continue;
        const values = this.norms(cell, v);
        const value = values[v.lag];
        this.find("path", cell).setAttribute("d", path(values));
        const mark = this.find("mark", cell);
        mark.setAttribute("transform", `translate(${across(v.lag).toFixed(1)} ${up(value).toFixed(1)})`);
        this.write({ [cell]: power(value) });
        said.push(`in the ${cell} ${power(value)}, with a factor of ${show(rate(values))} for each step`);
      }
      if (!said.length) return "Choose a cell.";
      return `Over ${v.lag} steps the norm is ${said.join("; ")}. ` +
        `Copying alone would keep ${power(copied[v.lag])}.`;
    }

    /* The lag only moves the line that reads the curves off. */
    norms(cell, v) {
      const key = JSON.stringify([cell, v.bias, v.radius, v.size, v.seed]);
      this.drawn ??= {};
      if (this.drawn[cell]?.key !== key) this.drawn[cell] = { key, values: norms(cell, v) };
      return this.drawn[cell].values;
    }
  }

  globalThis.gatedrnnLive.gradientLag = { network, norms, rate, power, START };
  start(".live-gradient-lag", GradientLag);
})();
