/* What the live figures share: their arithmetic's logistic function, their controls, their words.

   Each figure is a plain script without a library, so that it also works from a file, where browsers
   load no modules. The drawing is in the page already, at the values that the controls start from; a
   script adds the controls and redraws. What a script computes is in window.gatedrnnLive, by the name
   of the figure, and is tested there against gatedrnn.equations. */
(() => {
  "use strict";

  const QUIET = 700; // milliseconds without a change before a screen reader is told

  const sigmoid = (a) => (a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a)));

  const show = (value, places = 2) => {
    const text = value.toFixed(places);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
  };

  const make = (tag, attributes = {}, text = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };

  /* A figure has `values`, controls by key, and words; `draw(values)` paints and returns the words. */
  class Figure {
    constructor(root, name, start) {
      this.root = root;
      this.name = name;
      this.svg = root.querySelector("svg");
      this.values = { ...start };
      this.controls = {};
      this.panel = make("div", { class: "live-panel" });
      // The eyes see each change at once; a screen reader hears the last of a row of changes.
      this.words = make("p", { class: "live-words", "aria-hidden": "true" });
      this.spoken = make("p", { class: "live-spoken", role: "status" });
      this.panel.append(this.words, this.spoken);
      this.build();
      root.querySelector(".live-drawing").after(this.panel);
      root.classList.add("is-live");
      this.redraw();
    }

    set(values) {
      Object.assign(this.values, values);
      this.redraw();
      this.svg.setAttribute("aria-label", this.words.textContent); // it described the start
    }

    redraw() {
      for (const [key, put] of Object.entries(this.controls)) put(this.values[key]);
      this.words.textContent = this.draw(this.values);
      clearTimeout(this.waiting);
      const speak = () => { this.spoken.textContent = this.words.textContent; };
      if (this.spoken.textContent) this.waiting = setTimeout(speak, QUIET);
      else speak();
    }

    find(kind, name) {
      return this.svg.querySelector(`[data-${kind}="${name}"]`);
    }

    write(texts) {
      for (const [name, text] of Object.entries(texts)) this.find("text", name).textContent = text;
    }

    sliders(rows, into = this.panel) {
      const box = make("div", { class: "live-sliders" });
      rows.forEach((row) => box.append(this.slider(row)));
      into.append(box);
      return box;
    }

    /* `of` is the colour of the visual language; `places` says how the value is written. */
    slider({ key, name, min, max, step = 0.05, of, places = 2 }) {
      const id = `live-${this.name}-${key}`;
      const row = make("div", { class: `live-slider ${of}` });
      const input = make("input", { type: "range", id, min, max, step });
      // The slider itself tells its value to a screen reader; this copy is for the eyes.
      const copy = make("span", { class: "live-value", "aria-hidden": "true" });
      input.addEventListener("input", () => this.set({ [key]: Number(input.value) }));
      this.controls[key] = (value) => {
        if (Number(input.value) !== value) input.value = value;
        input.setAttribute("aria-valuetext", show(value, places));
        copy.textContent = show(value, places);
      };
      row.append(make("label", { for: id }, name), input, copy);
      return row;
    }

    /* A line of text, or several; `clean` drops what the figure cannot read, and `also` gives what
       other values follow from it. */
    text({ key, name, of, clean, lines = 1, also = () => ({}), attributes = {} }, into = this.panel) {
      const id = `live-${this.name}-${key}`;
      const row = make("div", { class: `live-slider ${of}` });
      const kind = lines > 1 ? { rows: lines } : { type: "text" };
      const input = make(lines > 1 ? "textarea" : "input", {
        id, autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...kind, ...attributes,
      });
      input.addEventListener("input", () => {
        const text = clean(input.value);
        this.set({ [key]: text, ...also(text) });
      });
      this.controls[key] = (value) => { if (input.value !== value) input.value = value; };
      row.append(make("label", { for: id }, name), input);
      into.append(row);
      return row;
    }

    choices(fields, into = this.panel) {
      const box = make("div", { class: "live-choices" });
      fields.forEach((field) => box.append(this.choice(field)));
      into.append(box);
      return box;
    }

    /* One of several options (`kind` "radio"), or any of them ("checkbox": the value is a list). */
    choice({ key, legend, options, kind = "radio" }) {
      const box = make("fieldset");
      box.append(make("legend", {}, legend));
      const inputs = options.map(([option, words]) => {
        const label = make("label");
        const input = make("input", { type: kind, name: `live-${this.name}-${key}`, value: option });
        label.append(input, ` ${words}`);
        box.append(label);
        return input;
      });
      const chosen = () => inputs.filter((input) => input.checked).map((input) => input.value);
      box.addEventListener("change", () => {
        this.set({ [key]: kind === "radio" ? chosen()[0] : chosen() });
      });
      this.controls[key] = (value) => inputs.forEach((input) => {
        input.checked = kind === "radio" ? input.value === value : value.includes(input.value);
      });
      return box;
    }

    /* Buttons that set some values; `values` may be a function of those that stand. */
    presets(presets, into = this.panel) {
      const box = make("div", { class: "live-presets", role: "group", "aria-label": "Examples" });
      for (const { name, values } of presets) {
        const button = make("button", { type: "button" }, name);
        button.addEventListener("click", () => {
          this.set(typeof values === "function" ? values(this.values) : values);
        });
        box.append(button);
      }
      into.append(box);
      return box;
    }

    more(summary) {
      const box = make("details", { class: "live-more" });
      box.append(make("summary", {}, summary));
      this.panel.append(box);
      return box;
    }
  }

  /* A figure comes to life shortly before it is seen: its drawing is there already, and a page with
     several figures would otherwise wait for all of them. */
  const NEAR = "800px";

  const start = (selector, Kind) => {
    const near = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        new Kind(target);
      }
    }, { rootMargin: NEAR });
    document.querySelectorAll(selector).forEach((root) => near.observe(root));
  };

  globalThis.gatedrnnLive = { sigmoid, show, make, Figure, start };
})();
