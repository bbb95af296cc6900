import { cart } from "../cart.js";
import { h, replace, toast } from "../dom.js";
import { money, plural, times } from "../format.js";
import { empty, stepper } from "../parts.js";
import { session } from "../session.js";

export async function cartPage({ signal }) {
  await cart.load();
  const place = h("div", {});
  // Requests for one line run one after the other, so that quick clicks end in the number shown.
  let queue = Promise.resolve();
  const run = (action) => {
    queue = queue.then(async () => {
      try {
        await action();
      } catch (problem) {
        toast(problem.message, "error");
      }
      if (!signal.aborted) draw();
    });
  };
  const draw = () => {
    const focused = document.activeElement?.closest?.("[data-sku]")?.dataset.sku;
    const test = document.activeElement?.dataset?.test;
    replace(place, cart.value.items.length ? full(run) : nothing());
    if (focused && test) {
      const row = [...place.querySelectorAll("[data-sku]")].find((element) => element.dataset.sku === focused);
      row?.querySelector(`[data-test="${test}"]`)?.focus();
    }
  };
  draw();
  return [h("h1", { text: "Your cart" }), place];
}

function nothing() {
  return empty("Still empty", "Nothing in here yet. The mugs are a good place to start.", h("a", { class: "button",
      href: "/", text: "Look around" }));
}

function full(run) {
  const { items, total } = cart.value;
  return h("div", { class: "columns" },
    h("ul", { class: "lines", data: { test: "cart-items" } }, items.map((item) => line(item, run))),
    h("aside", { class: "panel", "aria-label": "Summary" },
      h("dl", { class: "sums" },
        h("div", {}, h("dt", { text: plural(cart.count, "item") }), h("dd", { text: money(total) })),
        h("div", {}, h("dt", { text: "Delivery" }), h("dd", { text: "Free" })),
        h("div", { class: "sum-total" }, h("dt", { text: "Total" }), h("dd", { text: money(total),
            data: { test: "cart-total" }, "aria-live": "polite" }))),
      h("a", { class: "button button-wide", href: "/checkout",
          text: session.user ? "Go to checkout" : "Log in and check out", data: { test: "checkout-link" } })));
}

function line(item, run) {
  return h("li", { class: "line", data: { test: "cart-item", sku: item.sku } },
    h("img", { src: item.imageUrl, alt: "", width: 96, height: 96 }),
    h("div", { class: "line-text" },
      h("a", { href: `/products/${encodeURIComponent(item.productId)}`, text: item.name }),
      h("p", { class: "muted", text: `${money(item.price)} each` }),
      h("button", { class: "link", type: "button", "aria-label": `Remove ${item.name}`, text: "Remove",
          data: { test: "remove" },
        on: { click: () => run(() => cart.remove(item.sku)) } })),
    stepper(item.quantity, `Quantity of ${item.name}`, (value) => run(() => cart.set(item, value))),
    h("p", { class: "price", text: money(times(item.price, item.quantity)), data: { test: "line-total" } }));
}
