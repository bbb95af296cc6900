import { api } from "../api.js";
import { cart } from "../cart.js";
import { h, toast } from "../dom.js";
import { field, submitting, summary } from "../forms.js";
import { money, plural, times } from "../format.js";
import { empty } from "../parts.js";
import { session } from "../session.js";

const kCards = [
  { number: "4242424242424242", text: "Approves", hint: "Everything goes well." },
  { number: "4000000000000002", text: "Declines", hint: "The bank says no." },
  { number: "4000000000009995", text: "Insufficient funds", hint: "Not enough on the account." },
  { number: "4000000000000119", text: "Times out",
      hint: "The bank does not answer; the shop tries again, then gives up." },
];

export async function checkout({ go }) {
  await cart.load();
  if (!cart.value.items.length) {
    return [h("h1", { text: "Checkout" }), empty("Nothing to pay for", "Your cart is empty.", h("a", { class: "button",
        href: "/", text: "Look around" }))];
  }
  const number = field({ name: "paymentMethod.card", label: "Card number", inputmode: "numeric", autocomplete: "off",
      maxlength: 23, required: true,
    value: grouped(kCards[0].number) });
  const input = number.querySelector("input");
  input.dataset.test = "card-number";
  const form = h("form", { class: "panel form", novalidate: true, data: { test: "checkout-form" } },
    h("h2", { text: "Payment" }), summary(),
    h("fieldset", { class: "test-cards" }, h("legend", { text: "Test cards of the sandbox" }),
      kCards.map((card, index) => testCard(card, index === 0, input))),
    number,
    h("button", { class: "button button-wide", type: "submit", data: { test: "place-order" } },
        `Pay ${money(cart.value.total)}`),
    h("p", { class: "muted small", text: "This is a demonstration. No real card is accepted or charged." }));
  input.addEventListener("input", () => {
    for (const radio of form.querySelectorAll("input[type=radio]")) radio.checked = radio.value === digits(input.value);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submitting(form, () => pay(digits(input.value), go));
  });
  return [h("h1", { text: "Checkout" }), h("div", { class: "columns" }, form, overview())];
}

function testCard(card, checked, input) {
  return h("label", { class: "test-card" },
    h("input", { type: "radio", name: "test-card", value: card.number, checked, data: { test: `card-${card.number}` },
      on: { change: () => (input.value = grouped(card.number)) } }),
    h("span", { class: "test-card-text" }, h("strong", { text: card.text }), h("code", { text: grouped(card.number) }),
        h("small", { text: card.hint })));
}

function overview() {
  return h("aside", { class: "panel", "aria-label": "Your order" },
    h("h2", { text: "Your order" }),
    h("ul", { class: "mini-lines" }, cart.value.items.map((item) => h("li", {},
      h("img", { src: item.imageUrl, alt: "", width: 48, height: 48 }),
      h("span", { text: `${item.quantity} × ${item.name}` }), h("span", { class: "price", text: money(times(item.price,
          item.quantity)) })))),
    h("dl", { class: "sums" }, h("div", { class: "sum-total" },
      h("dt", { text: `Total, ${plural(cart.count, "item")}` }), h("dd", { text: money(cart.value.total),
          data: { test: "checkout-total" } }))),
    h("a", { class: "link", href: "/cart", text: "Change the cart" }));
}

/**
 * Places the order. One idempotency key stands for one attempt (this cart, this card): when no answer came the key is
 * kept, so that trying again can never order twice.
 */
async function pay(card, go) {
  const attempt = attemptFor(card);
  try {
    const order = await api.placeOrder({ paymentMethod: { card } }, attempt.key);
    forgetAttempt();
    await refresh();
    toast(order.state === "CAPTURED" ? "Thank you! Your order is paid." : "Your order is on its way.");
    await go(`/orders/${encodeURIComponent(order.id)}`, { replaceEntry: true });
  } catch (problem) {
    if (!problem.unanswered && problem.status < 500) forgetAttempt();
    await refresh();
    const id = orderIdOf(problem);
    if (!id) throw problem;
    toast("This order could not be taken. Nothing was charged.", "error");
    await go(`/orders/${encodeURIComponent(id)}`);
  }
}

async function refresh() {
  try {
    await cart.load();
  } catch {
    // The badge catches up with the next page.
  }
}

/** A rejected order can be read: the problem names it. */
function orderIdOf(problem) {
  return problem.fields?.get("orderId") ?? "";
}

const kAttempt = "order-attempt";

function attemptFor(card) {
  const purpose = JSON.stringify([session.user?.id, card.slice(-4), cart.value.items.map((item) => [item.sku,
      item.quantity])]);
  try {
    const kept = JSON.parse(sessionStorage.getItem(kAttempt) || "null");
    if (kept?.purpose === purpose) return kept;
    const made = { purpose, key: newKey() };
    sessionStorage.setItem(kAttempt, JSON.stringify(made));
    return made;
  } catch {
    return { purpose, key: newKey() };
  }
}

function forgetAttempt() {
  try {
    sessionStorage.removeItem(kAttempt);
  } catch {
    // Nothing was kept then.
  }
}

function newKey() {
  // crypto.randomUUID needs a secure origin; this works on plain http in a local network too.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function digits(text) {
  return text.replace(/[\s-]/g, "");
}

function grouped(number) {
  return number.replace(/(.{4})(?=.)/g, "$1 ");
}
