// Look at runs.

import { el } from "./dom.js";

export function create(section) {
  section.append(el("p", {}, "Runs"));
  return { show() {}, keys: [] };
}
