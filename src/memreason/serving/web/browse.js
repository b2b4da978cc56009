// Look at runs: figures, traces with filters, two runs side by side. All state stands in the address:
// #runs/RUN?cause=…&q=…&page=2, and with another run beside it #runs/RUN?with=OTHER&change=….

import { get } from "./api.js";
import { compared, pair } from "./browse_compare.js";
import { figures } from "./browse_figures.js";
import { called, CHANGES, edited } from "./browse_names.js";
import { card } from "./browse_traces.js";
import { announce, el, fill, inert } from "./dom.js";

const FACETS = { outcome: "Answer", cause: "Cause", grounds: "Right answer", split: "Split", family: "Kind of question" };
const PAIR_FACETS = { change: "Change", cause: "Cause in either", split: "Split", family: "Kind of question" };
const OTHERS = ["q", "id", "fact", "changed"];
const LOOK = 5000; // milliseconds between looks at whether files have changed
const TYPING = 250; // milliseconds after the last key before a search begins

export function create(section, context) {
  const view = new Browser(section, context);
  return {
    show: (path, parameters) => view.show(path, parameters),
    keys: [
      ["/", "search in the traces", () => view.search.focus()],
      ["j", "next trace", () => view.step(1)],
      ["k", "trace before", () => view.step(-1)],
      ["n", "next page", () => view.turn(1)],
      ["p", "page before", () => view.turn(-1)],
    ],
  };
}

class Browser {
  constructor(section, context) {
    this.section = section;
    this.context = context;
    this.state = { run: "", parameters: new URLSearchParams() };
    this.runs = [];
    this.pages = 1;
    this.shown = ""; // what the figures that are shown are of
    this.run = el("select", {
      id: "run",
      onchange: () => this.go({ run: this.run.value, id: "", fact: "", changed: "", page: "" }),
    });
    this.other = el("select", {
      id: "with",
      onchange: () =>
        this.go({ with: this.other.value, change: "", outcome: "", grounds: "", fact: "", changed: "", page: "" }),
    });
    this.search = el("input", {
      id: "search",
      type: "search",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.typed(),
    });
    this.selects = {};
    for (const name of Object.keys({ ...FACETS, ...PAIR_FACETS })) {
      this.selects[name] = el("select", {
        id: `facet-${name}`,
        onchange: () => this.go({ [name]: this.selects[name].value, page: "" }),
      });
    }
    this.top = el("div.figures-place", { onclick: (event) => (this.jumps = Boolean(event.target.closest("a"))) });
    this.facets = el("div.facets");
    this.chosen = el("p.chosen", { tabindex: "-1" });
    this.list = el("div.list");
    this.pager = el("nav.pager", {
      "aria-label": "Pages",
      onclick: (event) => (this.jumps = Boolean(event.target.closest("a"))),
    });
    this.empty = el("div");
    this.body = el("div", { hidden: true }, [
      el("div.choose", {}, field("Run", this.run), field("Beside it", this.other)),
      this.top,
      el(
        "form.filters",
        { role: "search", "aria-label": "Filter traces", onsubmit: (event) => event.preventDefault() },
        [el("div.search", {}, field("Search in questions and steps", this.search)), this.facets],
      ),
      this.chosen,
      this.list,
      this.pager,
    ]);
    section.append(this.empty, this.body);
    setInterval(() => this.look(), LOOK);
  }

  /** The address of the list with some filters changed. */
  link = ({ run = this.state.run, ...changes }) =>
    address(run, { ...Object.fromEntries(this.state.parameters), page: "", ...changes });

  /** The address of the traces that a figure counts: no filter but its own, and those that the figures are under. */
  counted = (changes) => {
    const other = this.get("with");
    return address(this.state.run, { with: other, split: other ? "" : this.get("split"), ...changes });
  };

  go(changes) {
    this.context.go(this.link(changes));
  }

  get(name) {
    return this.state.parameters.get(name) ?? "";
  }

  async show(path, parameters) {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    try {
      await this.listRuns(signal);
      if (!path && this.runs.length) {
        location.replace(address(this.runs[0].name));
        return;
      }
      this.state = { run: path, parameters };
      this.empty.replaceChildren();
      this.body.hidden = !this.runs.length;
      this.fillChoices();
      if (this.runs.length) await (this.get("with") ? this.compare(signal) : this.read(signal));
    } catch (problem) {
      if (problem.name === "AbortError") return;
      this.shown = "";
      this.version = this.versionIn(this.runs); // until the files are others, it stays so
      fill(this.empty, el("p.problem", { role: "alert" }, problem.message));
      for (const node of [this.top, this.facets, this.chosen, this.list, this.pager]) node.replaceChildren();
    }
  }

  async listRuns(signal) {
    const { runs, empty } = await get("runs", {}, signal);
    this.runs = runs;
    if (!runs.length) {
      const words = "There are no traces yet in what was given: ";
      fill(
        this.empty,
        el("p", {}, words, empty.map(inert)),
        el("p", {}, "This makes some: ", el("code", {}, "memreason evaluate RUN")),
      );
    }
  }

  fillChoices() {
    const option = ({ name, label }) => el("option", { value: name, selected: false }, label);
    fill(this.run, this.runs.map(option));
    fill(this.other, [
      el("option", { value: "" }, "nothing"),
      ...this.runs.filter((run) => run.name !== this.state.run).map(option),
    ]);
    this.run.value = this.state.run;
    this.other.value = this.get("with");
    if (document.activeElement !== this.search) this.search.value = this.get("q");
  }

  async read(signal) {
    const { run } = this.state;
    const wanted = Object.fromEntries(
      [...Object.keys(FACETS), ...OTHERS, "page"].map((name) => [name, this.get(name)]),
    );
    const [summary, found] = await Promise.all([
      get(`runs/${encodeURIComponent(run)}`, { split: wanted.split }, signal),
      get(`traces/${encodeURIComponent(run)}`, wanted, signal),
    ]);
    this.version = found.version;
    this.figures(`${run} ${wanted.split} ${found.version}`, () => figures(summary, wanted.split, this.counted));
    const counted = (name, value) => (Object.hasOwn(found.facets[name], value) ? found.facets[name][value] : 0);
    this.filters(FACETS, listed(summary.facets), (name, value) => `${called(name, value)} (${counted(name, value)})`);
    fill(
      this.list,
      found.traces.map((row) => card(row, summary, this.links(row))),
    );
    this.results(found, `${found.total} of ${summary.n} traces`);
  }

  async compare(signal) {
    const { run } = this.state;
    const names = [...Object.keys(PAIR_FACETS), "q", "id", "page"];
    const wanted = {
      left: run,
      right: this.get("with"),
      ...Object.fromEntries(names.map((name) => [name, this.get(name)])),
    };
    const found = await get("compare", wanted, signal);
    this.version = found.version;
    this.figures(`${run} with ${wanted.right} ${found.version}`, () => compared(found, this.counted));
    this.filters(PAIR_FACETS, { ...found.facets, change: found.figures.n ? Object.keys(CHANGES) : [] }, called);
    fill(
      this.list,
      found.pairs.map((each) => pair(each, found.labels, this.pairLinks(each, wanted))),
    );
    this.results(found, `${found.total} of ${found.figures.n} questions`);
  }

  links(row) {
    const { run } = this.state;
    const other = this.beside();
    return [
      ...this.asking(row),
      ["Link to this trace", address(run, { id: row.id })],
      ...(other ? [[`Beside ${other.label}`, address(run, { with: other.name, id: row.id })]] : []),
    ];
  }

  pairLinks({ left }, { left: one, right: other }) {
    return [
      ...this.asking(left),
      ...[one, other].map((name) => [
        `In ${this.runs.find((run) => run.name === name)?.label ?? name}`,
        address(name, { id: left.id }),
      ]),
    ];
  }

  /** What asks the model a question of a trace; nothing where there is no model. */
  asking({ question, options }) {
    if (!this.context.model.name) return [];
    return [
      ["Ask this", `#ask?${new URLSearchParams([["q", question], ...options.map((option) => ["option", option])])}`],
    ];
  }

  /** The list to compare with: what was before the training, else the next one. */
  beside() {
    const others = this.runs.filter((run) => run.name !== this.state.run);
    return others.find((run) => run.name === `${this.state.run}:before`) ?? others[0];
  }

  /** Figures are drawn anew only where they are others, so that the focus stays on a link that was followed. */
  figures(what, draw) {
    this.top.hidden = Boolean(this.get("id")); // a single trace is looked at
    if (what === this.shown) return;
    this.shown = what;
    fill(this.top, draw());
  }

  /** The selects of facets with more than one value; those that stay keep the focus. */
  filters(titles, values, worded) {
    const fields = [];
    for (const [name, title] of Object.entries(titles)) {
      const chosen = this.get(name);
      const all = values[name] ?? [];
      if (all.length < 2 && !chosen) continue;
      const options = [...all, ...(chosen && !all.includes(chosen) ? [chosen] : [])].map((value) =>
        el("option", { value }, worded(name, value)),
      );
      const select = this.selects[name];
      fill(select, [el("option", { value: "" }, "any"), ...options]);
      select.value = chosen;
      const label = select.parentElement ?? field("", select);
      label.firstChild.textContent = title;
      fields.push(label);
    }
    const there = [...this.facets.children];
    if (fields.length !== there.length || fields.some((node, place) => node !== there[place]))
      fill(this.facets, fields);
  }

  results(found, words) {
    this.pages = found.pages;
    const active = [...Object.keys(FACETS), "change", ...OTHERS].filter((name) => this.get(name));
    const cleared = Object.fromEntries(active.map((name) => [name, ""]));
    const extra = { fact: "fact: ", changed: "answer changed by: ", id: "question: " };
    const chips = Object.keys(extra)
      .filter((name) => this.get(name))
      .map((name) =>
        el(
          "a.chip",
          { href: this.link({ [name]: "" }), "aria-label": `Remove ${extra[name]}${this.get(name)}` },
          extra[name],
          inert(name === "changed" ? edited(this.get(name)) : this.get(name)),
          " ✕",
        ),
      );
    fill(this.chosen, [
      el("strong", {}, words),
      ...chips,
      active.length ? el("a", { href: this.link(cleared) }, "Clear all filters") : null,
    ]);
    announce(words);
    const { page, pages } = found;
    const turned = (by, text, rel) =>
      page + by >= 1 && page + by <= pages
        ? el("a.turn", { href: this.link({ page: String(page + by) }), rel }, text)
        : el("span.turn", { "aria-hidden": "true" }, text);
    fill(
      this.pager,
      pages > 1 || page > pages
        ? [turned(-1, "← Before", "prev"), el("span", {}, `Page ${page} of ${pages}`), turned(1, "Next →", "next")]
        : [],
    );
    if (this.jumps) {
      this.chosen.focus({ preventScroll: true });
      this.chosen.scrollIntoView();
    }
    this.jumps = false;
  }

  typed() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      if (!this.section.hidden) location.replace(this.link({ q: this.search.value.trim() }));
    }, TYPING);
  }

  step(by) {
    const cards = [...this.list.querySelectorAll(".card")];
    const now = cards.indexOf(document.activeElement?.closest(".card"));
    cards[now < 0 ? 0 : now + by]?.focus();
  }

  turn(by) {
    const page = Number(this.get("page") || 1) + by;
    if (page < 1 || page > this.pages) return;
    this.jumps = true;
    this.go({ page: String(page) });
  }

  /** The version of what is looked at, in a list of runs. */
  versionIn(runs) {
    const wanted = [this.state.run, this.get("with")].filter(Boolean);
    return wanted.map((name) => runs.find((run) => run.name === name)?.version).join(" ");
  }

  /** Show the lists anew where their files have changed. */
  async look() {
    if (this.section.hidden || document.hidden || !this.runs.length) return;
    try {
      const { runs } = await get("runs");
      if (this.versionIn(runs) !== this.version || runs.length !== this.runs.length) {
        await this.show(this.state.run, this.state.parameters);
        announce("The files have changed; they were read again.");
      }
    } catch {
      // The server is gone for a while; what is shown stays.
    }
  }
}

/** The address of a list; filters that are empty are left out. */
function address(run, filters = {}) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value)).toString();
  return `#runs/${encodeURIComponent(run)}${query ? `?${query}` : ""}`;
}

/** Facet → its values, of facet → value → count. */
function listed(facets) {
  return Object.fromEntries(Object.entries(facets).map(([name, counts]) => [name, Object.keys(counts)]));
}

function field(title, control) {
  return el("label.field", { for: control.id }, el("span", {}, title), control);
}
