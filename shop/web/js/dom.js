// Building the page. Text reaches the document through text nodes only, never as markup, so that nothing a user or a
// product is called can run as code.

/**
 * Makes an element. Properties: `class`, `text`, `on` ({event: handler}), `data` ({key: value}); false and null are left
 * out; everything else becomes an attribute. Children: nodes or strings; null and false are skipped.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "text") {
      element.textContent = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child);
  }
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
}

/** Says something to screen readers without moving the focus. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A short message at the edge of the page that goes away by itself. */
export function toast(text, kind = "info") {
  const note = h("div", { class: `toast toast-${kind}`, role: kind === "error" ? "alert" : "status",
      data: { test: "toast" } }, text);
  const shelf = document.getElementById("toasts");
  shelf.append(note);
  while (shelf.children.length > 3) shelf.firstElementChild.remove();
  setTimeout(() => note.remove(), 5000);
}

export function icon(name) {
  return h("span", { class: `icon icon-${name}`, "aria-hidden": "true" });
}
