import { api, orderEvents } from "../api.js";
import { h, replace, toast } from "../dom.js";
import { dateTime, money, plural, time, times } from "../format.js";
import { empty } from "../parts.js";

// The states of an order, in the order of a good day, with the words a customer understands.
const kSteps = [
  ["PENDING", "Received", "We have your order."],
  ["RESERVED", "Put aside", "Everything is in stock and kept for you."],
  ["AUTHORIZED", "Card checked", "Your bank has agreed."],
  ["CONFIRMED", "Confirmed", "The order is final."],
  ["CAPTURED", "Paid", "Thank you! We are packing."],
];
const kNames = new Map([...kSteps.map(([state, name]) => [state, name]), ["CANCELLED", "Cancelled"], ["REJECTED",
    "Rejected"]]);
const kEnded = new Set(["CAPTURED", "CANCELLED", "REJECTED"]);
const kPollMs = 1000;
const kSlowPollMs = 5000;

export async function orders({ signal }) {
  const first = await api.orders({ page_size: 20 }, signal);
  const title = h("h1", { text: "Your orders" });
  if (!first.orders.length) {
    return [title, empty("No orders yet", "When you have ordered something, it shows up here.", h("a",
        { class: "button", href: "/", text: "Look around" }))];
  }
  const list = h("ul", { class: "order-list", data: { test: "order-list" } }, first.orders.map(row));
  let token = first.nextPageToken;
  const more = h("button", { class: "button button-plain", type: "button", text: "Show more", hidden: !token,
      data: { test: "show-more" } });
  more.addEventListener("click", async () => {
    try {
      const page = await api.orders({ page_size: 20, page_token: token }, signal);
      list.append(...page.orders.map(row));
      token = page.nextPageToken;
      more.hidden = !token;
    } catch (problem) {
      if (!signal.aborted) toast(problem.message, "error");
    }
  });
  return [title, list, h("div", { class: "more" }, more)];
}

function row(item) {
  const count = item.items.reduce((total, line) => total + line.quantity, 0);
  return h("li", {}, h("a", { class: "order-row panel", href: `/orders/${encodeURIComponent(item.id)}`,
      data: { test: "order-row", order: item.id } },
    h("span", { class: "order-row-main" }, h("strong", { text: item.items.map((line) => line.name).join(", ") }),
      h("span", { class: "muted", text: `${dateTime(item.createdAt)} · ${plural(count, "item")}` })),
    badge(item.state), h("span", { class: "price", text: money(item.total) })));
}

function badge(state) {
  const kind = state === "CAPTURED" ? "good" : state === "REJECTED" ? "bad" : state === "CANCELLED" ? "quiet" : "busy";
  return h("span", { class: `state state-${kind}`, text: kNames.get(state) ?? state, data: { test: "order-state",
      state } });
}

/** One order; while it is under way the page is told of its states. */
export async function order({ params, signal, setTitle }) {
  const id = params[0];
  let item = await api.order(id, signal);
  setTitle(`Order ${short(item.id)}`);
  const live = h("div", {});
  const cancel = h("button", { class: "button button-plain", type: "button", text: "Cancel this order",
      data: { test: "cancel-order" } });
  const draw = () => {
    replace(live, status(item));
    cancel.hidden = item.state === "CANCELLED" || item.state === "REJECTED";
  };
  cancel.addEventListener("click", async () => {
    if (cancel.getAttribute("aria-disabled") === "true") return;
    cancel.setAttribute("aria-disabled", "true");
    try {
      item = await api.cancelOrder(id);
      toast("The order is cancelled. What was paid goes back to your card.");
      draw();
    } catch (problem) {
      toast(problem.message, "error");
    } finally {
      cancel.removeAttribute("aria-disabled");
    }
  });
  draw();
  watch(id, signal, () => item, (fresh) => {
    item = fresh;
    draw();
  });
  return [
    h("nav", { class: "crumbs", "aria-label": "You are here" }, h("a", { href: "/orders", text: "Your orders" })),
    h("h1", { text: `Order ${short(item.id)}`, title: item.id, data: { test: "order-title", order: item.id } }),
    h("p", { class: "muted", text: `Placed ${dateTime(item.createdAt)}` }),
    h("div", { class: "columns" }, live, h("aside", { class: "panel", "aria-label": "What you ordered" }, items(item),
        cancel)),
  ];
}

// By server-sent events; where they fail for good, by asking again and again.
function watch(id, signal, current, update) {
  if (kEnded.has(current().state)) return;
  const events = orderEvents(id);
  if (!events) {
    poll(id, signal, current, update);
    return;
  }
  const { source, close } = events;
  signal.addEventListener("abort", close, { once: true });
  source.addEventListener("state", (event) => {
    const item = current();
    if (Number(event.lastEventId) > item.history.length) {
      const entry = JSON.parse(event.data);
      update({ ...item, state: entry.state, failureReason: entry.reason, updatedAt: entry.at,
        history: [...item.history, entry] });
    }
    if (kEnded.has(current().state)) close();
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;  // the browser connects again
    close();
    poll(id, signal, current, update);
  });
}

async function poll(id, signal, current, update) {
  let wait = kPollMs;
  while (!signal.aborted && !kEnded.has(current().state)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (signal.aborted || kEnded.has(current().state)) return;
    try {
      const fresh = await api.order(id, signal);
      if (fresh.state !== current().state) update(fresh);
      wait = kPollMs;
    } catch {
      wait = kSlowPollMs;  // the shop may be restarting; it resumes the order by itself
    }
  }
}

function status(item) {
  const reached = new Map((item.history ?? []).map((entry) => [entry.state, entry.at]));
  const broken = item.state === "REJECTED" || item.state === "CANCELLED";
  return h("section", { class: "panel", "aria-label": "State of the order" },
    h("p", { class: "order-now", role: "status", "aria-live": "polite" }, badge(item.state), " ",
      h("span", { text: sentence(item), data: { test: "order-sentence" } })),
    h("ol", { class: "timeline" }, kSteps.map(([state, name, text]) => {
      const at = reached.get(state);
      const done = Boolean(at) || (!broken && rank(item.state) >= rank(state));
      const now = state === item.state && !kEnded.has(state);
      const mark = done ? "step-done" : broken ? "step-skipped" : "step-open";
      return h("li", { class: `${mark}${now ? " step-now" : ""}`, "aria-current": now ? "step" : false },
        h("strong", { text: name }), h("span", { class: "muted", text: done ? [text,
            at && time(at)].filter(Boolean).join(" ") : broken ? "Not reached" : "…" }));
    }), broken && h("li", { class: "step-broken" }, h("strong", { text: kNames.get(item.state) }),
      h("span", { class: "muted", text: reached.get(item.state) ? time(reached.get(item.state)) : "" }))));
}

function rank(state) {
  return kSteps.findIndex(([name]) => name === state);
}

function sentence(item) {
  if (item.state === "REJECTED") {
    return `We could not take this order${item.failureReason ? `: ${item.failureReason}` : ""}. Nothing was charged.`;
  }
  if (item.state === "CANCELLED") return "This order was cancelled. Nothing remains charged.";
  return kSteps.find(([state]) => state === item.state)?.[2] ?? "";
}

function items(item) {
  return [
    h("h2", { text: "What you ordered" }),
    h("ul", { class: "mini-lines" }, item.items.map((line) => h("li", {},
      h("img", { src: `/images/${encodeURIComponent(line.sku)}.svg`, alt: "", width: 48, height: 48 }),
      h("span", { text: `${line.quantity} × ${line.name}` }), h("span", { class: "price", text: money(times(line.price,
          line.quantity)) })))),
    h("dl", { class: "sums" }, h("div", { class: "sum-total" }, h("dt", { text: "Total" }), h("dd",
        { text: money(item.total), data: { test: "order-total" } }))),
  ];
}

function short(id) {
  return id.length > 12 ? `${id.slice(0, 8)}…` : id;
}
