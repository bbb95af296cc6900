// The cart: the server's for a user who is logged in, this browser's for a guest. Logging in moves the guest's into the
// server's.
import { api } from "./api.js";
import { sum, times } from "./format.js";
import { session } from "./session.js";

const kKey = "guest-cart";
export const kMaxQuantity = 99;
const kEmpty = { items: [], total: { currency: "EUR", minor: "0" } };
const listeners = new Set();
let current = kEmpty;
let merging = Promise.resolve();

function readGuest() {
  try {
    const items = JSON.parse(localStorage.getItem(kKey) || "[]");
    return Array.isArray(items) ? items.filter((item) => item?.sku && item.price && item.quantity > 0) : [];
  } catch {
    return [];
  }
}

function writeGuest(items) {
  try {
    if (items.length) localStorage.setItem(kKey, JSON.stringify(items));
    else localStorage.removeItem(kKey);
  } catch {
    // Without storage the guest's cart lasts as long as the page.
  }
  return { items, total: sum(items.map((item) => times(item.price, item.quantity))) };
}

function publish(value) {
  current = { items: value.items ?? [], total: value.total ?? kEmpty.total };
  for (const listener of listeners) listener(current);
  return current;
}

function clamp(quantity) {
  return Math.max(1, Math.min(kMaxQuantity, Math.trunc(quantity) || 1));
}

export const cart = {
  get value() {
    return current;
  },
  get count() {
    return current.items.reduce((total, item) => total + item.quantity, 0);
  },
  quantityOf(sku) {
    return current.items.find((item) => item.sku === sku)?.quantity ?? 0;
  },
  onChange(listener) {
    listeners.add(listener);
  },
  /** What the cart holds once a log-in has moved the guest's items into it. */
  async load() {
    await merging.catch(() => {});
    return publish(session.token ? await api.cart() : writeGuest(readGuest()));
  },
  async add(product, quantity) {
    return this.set(product, clamp(this.quantityOf(product.sku) + quantity));
  },
  /** `product` is a product or an item of the cart. */
  async set(product, quantity) {
    const wanted = clamp(quantity);
    if (session.token) return publish(await api.setCartItem(product.sku, wanted));
    const items = readGuest();
    const found = items.find((item) => item.sku === product.sku);
    if (found) {
      found.quantity = wanted;
    } else {
      const { sku, name, price, imageUrl } = product;
      items.push({ sku, productId: product.productId ?? product.id, name, price, imageUrl, quantity: wanted });
    }
    return publish(writeGuest(items));
  },
  async remove(sku) {
    if (session.token) return publish(await api.removeCartItem(sku));
    return publish(writeGuest(readGuest().filter((item) => item.sku !== sku)));
  },
  /** After a log-in: the guest's items are added to what the user's cart already holds. */
  mergeGuest() {
    merging = moveGuest();
    return merging;
  },
  forget() {
    publish(kEmpty);
  },
};

async function moveGuest() {
  const guest = readGuest();
  let value = await api.cart();
  for (const item of guest) {
    const have = value.items.find((other) => other.sku === item.sku)?.quantity ?? 0;
    try {
      value = await api.setCartItem(item.sku, clamp(have + item.quantity));
    } catch (problem) {
      if (problem.status !== 404) throw problem;  // no longer sold: dropped
    }
  }
  writeGuest([]);
  return publish(value);
}
