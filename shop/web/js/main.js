// The shell: header, routing by path, and what every page shares.
import { cart } from "./cart.js";
import { h, icon, replace } from "./dom.js";
import { plural } from "./format.js";
import { failed } from "./parts.js";
import { session } from "./session.js";
import { browse } from "./views/browse.js";
import { cartPage } from "./views/cart.js";
import { checkout } from "./views/checkout.js";
import { logIn, register } from "./views/account.js";
import { notifications } from "./views/notifications.js";
import { order, orders } from "./views/orders.js";
import { product } from "./views/product.js";

// Each page: (context) → nodes. The context holds `params`, `query`, `signal` (aborted when the visitor leaves) and `go`.
const routes = [
  { path: /^\/$/, page: browse, title: "Degu & Co." },
  { path: /^\/products\/([^/]+)$/, page: product, title: "Product" },
  { path: /^\/cart$/, page: cartPage, title: "Your cart" },
  { path: /^\/checkout$/, page: checkout, title: "Checkout", auth: true },
  { path: /^\/login$/, page: logIn, title: "Log in" },
  { path: /^\/register$/, page: register, title: "Create an account" },
  { path: /^\/orders$/, page: orders, title: "Your orders", auth: true },
  { path: /^\/orders\/([^/]+)$/, page: order, title: "Your order", auth: true },
  { path: /^\/notifications$/, page: notifications, title: "Notifications", auth: true },
];

const main = document.getElementById("main");
const searchInput = document.getElementById("search");
let leaving = new AbortController();

/** Goes to a path of the shop. `replaceEntry` keeps the browser's history as it is. */
export function go(path, { replaceEntry = false, keepFocus = false } = {}) {
  if (replaceEntry) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  return show({ keepFocus });
}

async function show({ keepFocus = false, scroll = true } = {}) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const query = new URLSearchParams(location.search);
  let route = null;
  let params = [];
  for (const candidate of routes) {
    const match = candidate.path.exec(location.pathname);
    if (match) {
      route = candidate;
      params = match.slice(1).map(decode);
      break;
    }
  }
  if (route?.auth && !session.token) {
    return go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`, { replaceEntry: true });
  }
  if (document.activeElement !== searchInput) searchInput.value = query.get("q") ?? "";
  setTitle(route?.title ?? "Not found");
  main.setAttribute("aria-busy", "true");
  try {
    const nodes = route ? await route.page({ params, query, signal, go, setTitle }) : [notFound()];
    if (signal.aborted) return;
    replace(main, nodes);
  } catch (problem) {
    if (signal.aborted) return;
    if (problem.status === 401) return show();
    replace(main, problem.status === 404 ? notFound() : failed(problem, () => show()));
    if (!problem.status && problem.status !== 0) console.error(problem);
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
  if (scroll && !keepFocus) scrollTo(0, 0);
  if (!keepFocus && started) main.focus({ preventScroll: true });
  started = true;
}

let started = false;

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function setTitle(title) {
  document.title = title === "Degu & Co." ? title : `${title} · Degu & Co.`;
}

function notFound() {
  return h("section", { class: "empty", data: { test: "not-found" } },
    h("img", { src: "/favicon.svg", alt: "", width: 96, height: 96 }),
    h("h1", { text: "Nobody home at this address" }),
    h("p", { text: "The page you are looking for has moved, or was never here." }),
    h("a", { class: "button", href: "/", text: "Back to the shop" }));
}

function navLink(href, name, text, test) {
  return h("a", { class: "nav-link", href, data: { test } }, icon(name), h("span", { text }));
}

function logOutButton(user) {
  return h("button", { class: "nav-link", type: "button", title: `Logged in as ${user.name}`, on: { click: logOut },
    data: { test: "logout-button" } },
    icon("out"),
    h("span", { text: "Log out" }),
    h("span", { class: "visually-hidden", text: `, ${user.name}`, data: { test: "user-name" } }));
}

function cartLink(count) {
  return h("a", { class: "nav-link cart-link", href: "/cart", "aria-label": `Cart, ${plural(count, "item")}`,
    data: { test: "cart-link" } },
    icon("cart"),
    h("span", { text: "Cart" }),
    count > 0 && h("span", { class: "badge", text: String(count), data: { test: "cart-count" } }));
}

function drawAccount() {
  const user = session.user;
  replace(document.getElementById("account"),
    user && navLink("/orders", "box", "Orders", "orders-link"),
    user && navLink("/notifications", "bell", "News", "notifications-link"),
    user ? logOutButton(user) : navLink("/login", "user", "Log in", "login-link"),
    cartLink(cart.count));
}

function logOut() {
  session.end();
  go("/");
}

function followLinks(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a[href]");
  if (!link || link.target || link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
  if (link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

function bindSearch() {
  let timer = 0;
  const search = (replaceEntry) => {
    clearTimeout(timer);
    const text = searchInput.value.trim();
    const onShelf = location.pathname === "/";
    const query = onShelf ? new URLSearchParams(location.search) : new URLSearchParams();
    if (text) query.set("q", text);
    else query.delete("q");
    const suffix = query.toString();
    go(suffix ? `/?${suffix}` : "/", { replaceEntry: replaceEntry && onShelf, keepFocus: true });
  };
  document.getElementById("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search(false);
  });
  searchInput.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => search(true), 300);
  });
}

function bindTheme() {
  const button = document.getElementById("theme-toggle");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const label = () => (button.textContent = isDark() ? "Light colours" : "Dark colours");
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // The choice lasts as long as the page.
    }
    label();
  });
  system.addEventListener("change", label);
  label();
}

async function loadCart() {
  try {
    await cart.load();
  } catch {
    // The cart's own page says what is wrong; the badge can wait.
  }
}

cart.onChange(drawAccount);
session.onChange((value) => {
  if (!value) cart.forget();
  loadCart();
  drawAccount();
});
document.addEventListener("click", followLinks);
addEventListener("popstate", () => show({ scroll: false }));
bindSearch();
bindTheme();
drawAccount();
loadCart();
show();
