// Elements from plain data. Texts of models and data become text nodes only, never HTML.

/** An element: el("p.note", { title: "…", onclick }, "text", child, …). Attributes that are null or false are left out. */
export function el(kind, attributes = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Text that a model or a file gave: alone in its direction, so that it cannot turn the text around it. */
export function inert(text, tag = "bdi") {
  return el(tag, { dir: tag === "bdi" ? null : "auto" }, String(text ?? ""));
}

/** Replace what `node` holds. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(Boolean));
  return node;
}

/** 0.123 → "12%"; what is not a number → "". */
export function percent(share) {
  if (typeof share !== "number" || !Number.isFinite(share)) return "";
  if (share > 0 && share < 0.01) return "<1%";
  if (share < 1 && share > 0.99) return ">99%";
  return `${Math.round(share * 100)}%`;
}

/** The share of many, as reports and the terminal have it: 0.575 → "57.5%", 0.6 → "60%". */
export function rate(share) {
  if (typeof share !== "number" || !Number.isFinite(share)) return "";
  return `${(100 * share).toFixed(1).replace(/\.0$/, "")}%`;
}

/** Tell screen readers. */
export function announce(text) {
  document.getElementById("said").textContent = text;
}
