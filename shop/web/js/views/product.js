import { api } from "../api.js";
import { h } from "../dom.js";
import { money, plural } from "../format.js";
import { addButton, productCard, stepper } from "../parts.js";

const kFewLeft = 10;

export async function product({ params, signal, setTitle }) {
  const [item, categories] = await Promise.all([api.product(params[0], signal), api.categories(signal)]);
  setTitle(item.name);
  const category = categories.categories.find((entry) => entry.id === item.category);
  let quantity = 1;
  const stock = h("p", { class: "stock", text: "Checking the stock…", "aria-live": "polite", data: { test: "stock" } });
  const add = addButton(item, "Add to cart", { quantity: () => quantity });
  watchStock(item.sku, stock, add, signal);
  const related = h("section", { class: "related" });
  fillRelated(item, related, signal);
  return [
    h("nav", { class: "crumbs", "aria-label": "You are here" },
      h("a", { href: "/", text: "Shop" }), h("span", { "aria-hidden": "true", text: "/" }),
      h("a", { href: `/?category=${encodeURIComponent(item.category)}`, text: category?.name ?? item.category })),
    h("article", { class: "product", data: { test: "product", sku: item.sku } },
      h("img", { class: "product-image", src: item.imageUrl, alt: `Drawing: ${item.name}`, width: 400, height: 400 }),
      h("div", { class: "product-text" },
        h("h1", { text: item.name, data: { test: "product-title" } }),
        h("p", { class: "price price-big", text: money(item.price), data: { test: "price" } }),
        h("p", { class: "lead", text: item.description }),
        stock,
        h("div", { class: "buy" }, stepper(1, "Quantity", (value) => (quantity = value)), add),
        h("p", { class: "muted", text: `Article ${item.sku}` }))),
    related,
  ];
}

async function watchStock(sku, place, add, signal) {
  try {
    const { free } = await api.stock(sku, signal);
    const few = free > 0 && free <= kFewLeft;
    place.textContent = free <= 0 ? "Sold out for now" : few ? `Only ${free} left` : `In stock: ${plural(free, "piece")}`;
    place.classList.add(free <= 0 ? "stock-none" : few ? "stock-few" : "stock-good");
    add.disabled = free <= 0;
  } catch {
    if (!signal.aborted) place.textContent = "";
  }
}

async function fillRelated(item, place, signal) {
  try {
    const { products } = await api.products({ category: item.category, page_size: 5 }, signal);
    const others = products.filter((other) => other.id !== item.id).slice(0, 4);
    if (others.length) place.append(h("h2", { text: "From the same shelf" }), h("ul", { class: "grid grid-small" },
        others.map(productCard)));
  } catch {
    // Suggestions are a courtesy; the page is whole without them.
  }
}
