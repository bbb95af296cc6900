import { api } from "../api.js";
import { h, toast } from "../dom.js";
import { dateTime } from "../format.js";
import { empty } from "../parts.js";

export async function notifications({ signal }) {
  const first = await api.notifications({ page_size: 20 }, signal);
  const title = h("h1", { text: "Notifications" });
  if (!first.notifications.length) return [title, empty("All quiet", "News about your orders will appear here.", null)];
  const list = h("ul", { class: "order-list", data: { test: "notification-list" } }, first.notifications.map(row));
  let token = first.nextPageToken;
  const more = h("button", { class: "button button-plain", type: "button", text: "Show more", hidden: !token,
      data: { test: "show-more" } });
  more.addEventListener("click", async () => {
    try {
      const page = await api.notifications({ page_size: 20, page_token: token }, signal);
      list.append(...page.notifications.map(row));
      token = page.nextPageToken;
      more.hidden = !token;
    } catch (problem) {
      if (!signal.aborted) toast(problem.message, "error");
    }
  });
  return [title, list, h("div", { class: "more" }, more)];
}

function row(item) {
  const text = h("span", { class: "order-row-main" }, h("strong", { text: item.message,
      data: { test: "notification-message" } }),
    h("span", { class: "muted", text: dateTime(item.createdAt) }));
  const data = { test: "notification", kind: item.kind };
  if (!item.orderId) return h("li", {}, h("div", { class: "order-row panel", data }, text));
  return h("li", {}, h("a", { class: "order-row panel", href: `/orders/${encodeURIComponent(item.orderId)}`, data },
      text, h("span", { class: "muted", text: "See the order" })));
}
