// The page: two views, chosen by what stands behind # in the address.
//
// A view is `create(section, context)`, which gives `{ show(path, parameters), keys }`: `show` is called whenever the
// address leads to it (`#runs/demo?split=test` → path "demo", parameters of URLSearchParams), `keys` lists shortcuts as
// [key, what it does, function]. The context has the `model` of the server and `go(address)`.

import * as api from "./api.js";
import { create as ask } from "./ask.js";
import { create as runs } from "./browse.js";
import { el, fill } from "./dom.js";

const create = { __proto__: null, ask, runs };
const made = {};
const context = { model: null, go: (address) => (location.hash = address) };
const common = [
  ["1", "ask", () => context.go("#ask")],
  ["2", "runs", () => context.go("#runs")],
  ["?", "show these shortcuts", shortcuts],
];
let current = null;

/** Keep a token that stands in the address, and take it out. */
function takeToken() {
  const rest = api.takeToken(location.hash);
  if (rest !== null) history.replaceState(null, "", rest ? `#${rest}` : location.pathname);
}

function route() {
  takeToken();
  const [place, query] = split(location.hash.slice(1), "?");
  const [name, path] = split(place, "/");
  const view = name in create ? name : Object.keys(create)[0];
  for (const other of ["ask", "runs"]) document.getElementById(other).hidden = other !== view;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  made[view] ??= create[view](document.getElementById(view), context);
  current = made[view];
  current.show(decoded(path), new URLSearchParams(query));
}

/** A path from an address; one that is not well-formed leads nowhere. */
function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function split(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function shortcuts() {
  const rows = [...(current?.keys ?? []), ...common].flatMap(([key, what]) => [
    el("dt", {}, el("kbd", {}, key)),
    el("dd", {}, what),
  ]);
  fill(document.getElementById("shortcut-list"), rows);
  document.getElementById("shortcuts").showModal();
}

function pressed(event) {
  if (event.target.closest("dialog")) return; // it knows Escape by itself
  const typing = event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select");
  if (event.altKey || event.defaultPrevented || (typing && event.key !== "Escape")) return;
  const name = `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.key}`;
  const found = [...(current?.keys ?? []), ...common].find(([key]) => key === name);
  if (!found) return;
  event.preventDefault();
  found[2]();
}

/** Without a model, nothing can be asked. */
function onlyRuns() {
  delete create.ask;
  common.splice(0, 1);
  document.querySelector('nav [data-view="ask"]').remove();
}

async function start() {
  document.getElementById("keys").addEventListener("click", shortcuts);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address says which view is shown
    document.getElementById("main").focus();
  });
  takeToken();
  try {
    context.model = await api.get("model");
    document.getElementById("model").textContent = context.model.name;
  } catch (problem) {
    fill(document.getElementById("main"), el("p.problem", { role: "alert" }, problem.message));
    window.addEventListener("hashchange", () => location.reload()); // the token may stand there now
    return;
  }
  if (context.model.name === null) onlyRuns();
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", pressed);
  route();
}

start();
