/* The live figure of a small character model: its gates while it reads what the reader types.

   The weights come from a record, as whole numbers from -127 to 127 with one scale for each tensor.
   `weights`, `read` and `levels` are the whole arithmetic. */
(() => {
  "use strict";

  const { sigmoid, show, make, Figure, start } = globalThis.gatedrnnLive;

  /* The tensors as rows of numbers. */
  const weights = (page) => {
    const tensors = {};
    for (const [name, { shape, scale, int8 }] of Object.entries(page.tensors)) {
      const bytes = Uint8Array.from(atob(int8), (sign) => sign.charCodeAt(0));
      const flat = Array.from(new Int8Array(bytes.buffer), (whole) => whole * scale);
      const width = shape[1] ?? 1;
      tensors[name] = Array.from({ length: shape[0] }, (_, row) => flat.slice(row * width, (row + 1) * width));
    }
    return { ...tensors, characters: [...page.characters], units: page.tensors.W_hh.shape[1] };
  };

  const product = (rows, bias, vector) => rows.map((row, i) =>
    row.reduce((sum, weight, j) => sum + weight * vector[j], bias[i][0]));

  /* One step of the GRU in PyTorch's form: r, z and the new state. */
  const step = (w, x, h) => {
    const H = w.units;
    const [a, b] = [product(w.W_ih, w.b_ih, x), product(w.W_hh, w.b_hh, h)];
    const r = h.map((_, i) => sigmoid(a[i] + b[i]));
    const z = h.map((_, i) => sigmoid(a[H + i] + b[H + i]));
    const n = h.map((_, i) => Math.tanh(a[2 * H + i] + r[i] * b[2 * H + i]));
    return { r, z, h: h.map((old, i) => (1 - z[i]) * n[i] + z[i] * old) };
  };

  /* What the model holds after each character of a text, from the zero state. */
  const read = (w, text) => {
    let h = new Array(w.units).fill(0);
    return [...text].map((character) => {
      const id = w.characters.indexOf(character);
      const after = step(w, w.embedding[id < 0 ? w.characters.length : id], h);
      h = after.h;
      return after;
    });
  };

  /* The probability of each next character, the likeliest first. */
  const next = (w, h) => {
    const scores = product(w.W_out, w.b_out, h);
    const most = Math.max(...scores);
    const shares = scores.map((score) => Math.exp(score - most));
    const sum = shares.reduce((a, b) => a + b);
    return shares.map((share, i) => [w.characters[i] ?? "\ufffd", share / sum])
      .sort((a, b) => b[1] - a[1]);
  };

  const SHADES = 8;
  /* How dark a cell is, from 0 to 8; a state from -1 to 1 goes from empty to full. */
  const level = (what, value) => Math.round(SHADES * (what === "h" ? (value + 1) / 2 : value));

  const GRID = { left: 46, top: 34, wide: 11, high: 4, columns: 28 };
  const BAR = 200;

  /* The cells of the last columns, as one path for each shade. */
  const shades = (what, columns) => {
    const paths = new Array(SHADES + 1).fill("");
    columns.forEach((column, t) => column[what].forEach((value, unit) => {
      const [x, y] = [GRID.left + GRID.wide * t, GRID.top + GRID.high * unit];
      paths[level(what, value)] += `M${x} ${y}h${GRID.wide}v${GRID.high}h-${GRID.wide}z`;
    }));
    return paths;
  };

  const START = {
    text: "Go.\n\nGATE KEEPER:\nKeep the old word.", at: 36, what: "z", unit: 47,
  };
  const LONGEST = 400;
  const WAIT = 160; // milliseconds a character while the figure reads by itself
  const TEXTS = [
    { name: "A speaker", text: START.text },
    { name: "A long word", text: "\nIncomprehensibilities! And yet I hear it." },
    { name: "Verse", text: "\nThe door that opens once may close again,\nAnd what it kept is what we had till then.\n" },
    { name: "Capitals", text: "\n\nKEEP THIS:\nKEEP THIS, I said, and KEEP it to the end." },
    { name: "Not its English", text: "\nfor t in range(10): h = step(x[t], h)\n" },
  ];
  const PARTS = [["z", "update gate z"], ["r", "reset gate r"], ["h", "state h"]];
  const COLOURS = { z: "update", r: "reset", h: "state" };
  const SIGNS = { "\n": "\u21b5", " ": "\u00b7" };
  const WORDS = { "\n": "a line end", " ": "a space" };

  const said = (character) => WORDS[character] ?? `\u201c${character}\u201d`;
  const percent = (share) => `${show(100 * share, 0)} %`;

  class CharReader extends Figure {
    constructor(root) {
      super(root, "reader", START);
    }

    build() {
      const page = JSON.parse(this.root.querySelector(".live-data").textContent);
      this.weights = weights(page);
      this.names = page.names;
      this.text({
        key: "text", name: "text", of: "input", lines: 3,
        clean: (text) => text.slice(0, LONGEST), attributes: { maxlength: LONGEST },
        also: (text) => ({ at: [...text].length }),
      });
      this.presets(TEXTS.map(({ name, text }) => ({ name, values: { text, at: [...text].length } })));
      this.sliders([
        { key: "at", name: "read up to", min: 0, max: START.at, step: 1, of: "input", places: 0 },
        { key: "unit", name: "unit", min: 0, max: this.weights.units - 1, step: 1, of: "state", places: 0 },
      ]);
      const put = this.controls.at;
      const slider = this.panel.querySelector("#live-reader-at");
      this.controls.at = (value) => { slider.max = [...this.values.text].length; put(value); };
      this.player();
      this.choices([{ key: "what", legend: "Show", options: PARTS }]);
      this.presets(this.names.map(({ of, unit, feature }) => ({
        name: `${of} of unit ${unit}: ${feature}`, values: { what: of, unit },
      })), this.more("Units that follow something"));
    }

    /* A button that lets the figure read by itself, and stops it. */
    player() {
      const box = make("div", { class: "live-presets" });
      this.button = make("button", { type: "button" }, "Read it");
      this.button.addEventListener("click", () => (this.reading ? this.stop() : this.go()));
      box.append(this.button);
      this.panel.append(box);
    }

    go() {
      const length = [...this.values.text].length;
      this.button.textContent = "Stop";
      if (this.values.at >= length) this.set({ at: 0 });
      this.reading = setInterval(() => {
        if (this.values.at >= [...this.values.text].length) this.stop();
        else this.set({ at: this.values.at + 1 });
      }, WAIT);
    }

    stop() {
      clearInterval(this.reading);
      this.reading = 0;
      this.button.textContent = "Read it";
    }

    draw(v) {
      if (this.known !== v.text) {
        this.after = read(this.weights, v.text);
        this.known = v.text;
      }
      const characters = [...v.text];
      const first = Math.max(0, v.at - GRID.columns);
      const columns = this.after.slice(first, v.at);
      const cells = this.find("cells", "all");
      cells.setAttribute("class", COLOURS[v.what]);
      shades(v.what, columns).forEach((path, shade) => {
        if (shade) this.find("shade", String(shade)).setAttribute("d", path);
      });
      const letters = {};
      for (let t = 0; t < GRID.columns; t += 1) {
        const character = t < columns.length ? characters[first + t] : "";
        letters[`letter-${t}`] = SIGNS[character] ?? character;
      }
      this.write(letters);
      const row = GRID.top + GRID.high * (v.unit + 0.5);
      this.find("mark", "unit").setAttribute("transform", `translate(0 ${row})`);
      this.find("mark", "now").setAttribute("x", GRID.left + GRID.wide * (columns.length - 1));
      this.find("mark", "now").setAttribute("visibility", columns.length ? "visible" : "hidden");
      const zero = new Array(this.weights.units).fill(0);
      const now = columns.at(-1) ?? { r: zero, z: zero, h: zero };
      const likely = next(this.weights, now.h).slice(0, 5);
      likely.forEach(([character, share], place) => {
        this.write({ [`next-${place}`]: SIGNS[character] ?? character, [`share-${place}`]: percent(share) });
        this.find("bar", String(place)).setAttribute("width", (BAR * share).toFixed(1));
      });
      const empty = !columns.length;
      this.write({
        unit: `unit ${v.unit}`, r: empty ? "\u2013" : show(now.r[v.unit]),
        z: empty ? "\u2013" : show(now.z[v.unit]), h: show(now.h[v.unit]),
      });
      return this.inWords(v, characters, now, likely, empty);
    }

    inWords(v, characters, now, likely, empty) {
      const [best, share] = likely[0];
      const coming = `The likeliest next character is ${said(best)}, ${percent(share)}.`;
      if (empty) return `Nothing is read, and the state is zero. ${coming}`;
      const mean = now.z.reduce((a, b) => a + b) / now.z.length;
      const follows = this.names.filter(({ unit, of }) => unit === v.unit && of === v.what)
        .map(({ feature, correlation }) =>
          ` Over the test text its ${v.what} has correlation ${show(correlation)} with \u201c${feature}\u201d.`).join("");
      return `After ${said(characters[v.at - 1])} the update gates keep ${percent(mean)} of the state on average, ` +
        `and that of unit ${v.unit} keeps ${percent(now.z[v.unit])}.${follows} ${coming}`;
    }
  }

  globalThis.gatedrnnLive.charReader = { weights, read, next, level, START, TEXTS };
  start(".live-char-reader", CharReader);
})();
