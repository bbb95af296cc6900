import { api } from "../api.js";
import { announce, h } from "../dom.js";
import { plural } from "../format.js";
import { empty, productCard } from "../parts.js";

const kPageSize = 24;
const kHeroes = ["GT-806", "CT-101", "PG-601"];

/** The shelves: all products, or those of a category, or those a search finds; a page at a time. */
export async function browse({ query, signal, setTitle }) {
  const filter = { q: query.get("q") ?? "", category: query.get("category") ?? "" };
  const [categories, first] = await Promise.all([
    api.categories(signal),
    api.products({ ...filter, page_size: kPageSize }, signal),
  ]);
  const category = categories.categories.find((entry) => entry.id === filter.category);
  const heading = filter.q ? `Results for “${filter.q}”` : category ? category.name : "Everything";
  setTitle(filter.q || category ? heading : "Degu & Co.");
  announce(plural(first.total, "product"));
  return [
    !filter.q && !filter.category && hero(),
    chips(categories.categories, filter),
    h("div", { class: "shelf-head" },
      h(filter.q || category ? "h1" : "h2", { text: heading, data: { test: "shelf-title" } }),
      h("p", { class: "muted", text: plural(first.total, "product"), data: { test: "shelf-total" } })),
    first.products.length ? shelf(first, filter, signal) : nothing(filter),
  ];
}

function hero() {
  return h("section", { class: "hero" },
    h("div", { class: "hero-text" },
      h("h1", { text: "Good things for small burrows." }),
      h("p", { text: "Mugs that feel right, tents that stay up, plants that forgive. Chosen by hand, carried home in both cheeks." }),
      h("a", { class: "button", href: "/?category=outdoors", text: "Go outdoors" }),
      h("a", { class: "button button-plain", href: "/?category=coffee-tea", text: "Stay in with coffee" })),
    h("div", { class: "hero-art", "aria-hidden": "true" },
      kHeroes.map((sku) => h("img", { src: `/images/${sku}.svg`, alt: "", width: 200, height: 200 }))));
}

function chips(categories, filter) {
  const chip = (id, name, count) => {
    const query = new URLSearchParams();
    if (id) query.set("category", id);
    if (filter.q) query.set("q", filter.q);
    const suffix = query.toString();
    const link = h("a", { class: "chip", href: suffix ? `/?${suffix}` : "/",
      "aria-current": id === filter.category ? "page" : false, data: { test: "category", category: id || "all" } }, name);
    if (count !== null) link.append(h("span", { class: "chip-count", text: String(count) }));
    return h("li", {}, link);
  };
  return h("nav", { "aria-label": "Categories" }, h("ul", { class: "chips" },
    chip("", "Everything", null), categories.map((entry) => chip(entry.id, entry.name, entry.productCount))));
}

function shelf(first, filter, signal) {
  const list = h("ul", { class: "grid", data: { test: "product-grid" } }, first.products.map(productCard));
  let token = first.nextPageToken;
  const status = h("p", { class: "muted", text: shown(list, first.total) });
  const button = h("button", { class: "button button-plain", type: "button", text: "Show more",
      data: { test: "show-more" } });
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const page = await api.products({ ...filter, page_size: kPageSize, page_token: token }, signal);
      const cards = page.products.map(productCard);
      list.append(...cards);
      token = page.nextPageToken;
      status.textContent = shown(list, page.total);
      announce(status.textContent);
      cards[0]?.querySelector("a").focus();
      button.hidden = !token;
    } catch (problem) {
      if (!signal.aborted) status.textContent = problem.message;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  button.hidden = !token;
  return [list, h("div", { class: "more" }, status, button)];
}

function shown(list, total) {
  return `${list.children.length} of ${plural(total, "product")}`;
}

function nothing(filter) {
  const where = filter.category ? " in this category" : "";
  return empty(`Nothing found${where}`, "Try a shorter word, or look through everything.",
    h("a", { class: "button", href: "/", text: "Show everything" }));
}
