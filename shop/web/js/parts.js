// Pieces that several pages use.
import { cart, kMaxQuantity } from "./cart.js";
import { h, icon, toast } from "./dom.js";
import { money } from "./format.js";

/** What a page shows instead of itself when its data could not be had. */
export function failed(problem, retry) {
  return h("section", { class: "empty", role: "alert", data: { test: "page-error" } },
    h("img", { src: "/favicon.svg", alt: "", width: 96, height: 96 }),
    h("h1", { text: problem.status === 0 ? "The shop does not answer" : "That did not work" }),
    h("p", { text: problem.message || "Something went wrong." }),
    problem.requestId && h("p", { class: "muted", text: `Request ${problem.requestId}` }),
    h("button", { class: "button", type: "button", text: "Try again", on: { click: retry },
        data: { test: "retry-button" } }));
}

export function empty(title, text, action) {
  return h("section", { class: "empty", data: { test: "empty" } },
    h("img", { src: "/favicon.svg", alt: "", width: 96, height: 96 }), h("h2", { text: title }), h("p", { text }),
        action);
}

export function productCard(product) {
  return h("li", { class: "card", data: { test: "product-card", sku: product.sku } },
    h("a", { class: "card-link", href: `/products/${encodeURIComponent(product.id)}`, data: { test: "product-link" } },
      h("img", { class: "card-image", src: product.imageUrl, alt: "", width: 400, height: 400, loading: "lazy" }),
      h("span", { class: "card-name", text: product.name, data: { test: "product-name" } })),
    h("div", { class: "card-foot" },
      h("span", { class: "price", text: money(product.price), data: { test: "product-price" } }),
      addButton(product, "Add", { small: true })));
}

/** Puts `quantity()` pieces into the cart and says so. */
export function addButton(product, text, { small = false, quantity = () => 1 } = {}) {
  const button = h("button", { class: small ? "button button-small" : "button", type: "button",
    "aria-label": small ? `Add ${product.name} to the cart` : false, data: { test: "add-to-cart" } }, icon("plus"),
        h("span", { text }));
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const before = cart.quantityOf(product.sku);
      await cart.add(product, quantity());
      const now = cart.quantityOf(product.sku);
      toast(now === before ? `${kMaxQuantity} pieces is the most one order takes.` : `${product.name} is in your cart.`);
    } catch (problem) {
      toast(problem.message, "error");
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return button;
}

/** Minus, number, plus. `onChange(n)` is called with 1..99. */
export function stepper(value, label, onChange) {
  const input = h("input", { type: "number", inputmode: "numeric", min: 1, max: kMaxQuantity, value,
      "aria-label": label, data: { test: "quantity" } });
  const set = (wanted) => {
    const next = Math.max(1, Math.min(kMaxQuantity, Math.trunc(wanted) || 1));
    input.value = String(next);
    onChange(next);
  };
  input.addEventListener("change", () => set(Number(input.value)));
  const step = (by, text, test) => h("button", { type: "button", "aria-label": `${text}: ${label}`, data: { test },
    on: { click: () => set(Number(input.value) + by) }, text: by > 0 ? "+" : "−" });
  return h("div", { class: "stepper", role: "group", "aria-label": label }, step(-1, "One less", "less"), input,
      step(1, "One more", "more"));
}
