// Ask, and change what was answered.

import { el } from "./dom.js";

export function create(section) {
  section.append(el("p", {}, "Ask"));
  return { show() {}, keys: [] };
}
