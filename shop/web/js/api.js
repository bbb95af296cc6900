// The shop's REST interface. Every failure is a Problem, whether the server sent a problem document or never answered.
import { session } from "./session.js";

const kTimeoutMs = 15000;

/** A refused or failed call: RFC 9457 fields plus `fields`, the reasons by field name. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || "Something went wrong.");
    this.status = status;
    this.code = body.code || "";
    this.title = body.title || "";
    this.body = body;
    this.requestId = body.requestId || "";
    this.fields = new Map();
    for (const entry of Array.isArray(body.errors) ? body.errors : []) {
      if (entry && entry.field) this.fields.set(String(entry.field), String(entry.reason || "is not valid"));
    }
  }
  /** The server was not reached or did not answer in time: the call may or may not have happened. */
  get unanswered() {
    return this.status === 0;
  }
}

export async function call(method, path, { body, headers = {}, signal } = {}) {
  const request = { method, headers: { Accept: "application/json", ...headers } };
  const token = session.token;
  if (token) request.headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const timeout = AbortSignal.timeout(kTimeoutMs);
  request.signal = signal ? anySignal([signal, timeout]) : timeout;

  let response;
  let text;
  try {
    response = await fetch(path, request);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { title: "No answer",
        detail: "The shop did not answer. Check your connection and try again." });
  }
  const value = parse(text);
  if (!response.ok) {
    // A token that the server no longer accepts is dropped, so that the next page asks for the log-in.
    if (response.status === 401 && token && session.token === token && !path.endsWith("/sessions")) session.end();
    throw new Problem(response.status, value ?? { title: response.statusText,
        detail: `The shop answered ${response.status}.` });
  }
  return value ?? {};
}

function parse(text) {
  if (!text) return null;
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

function anySignal(signals) {
  if (AbortSignal.any) return AbortSignal.any(signals);
  const controller = new AbortController();
  for (const signal of signals) signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  return controller.signal;
}

function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value) search.set(name, value);
  const text = search.toString();
  return text ? `?${text}` : "";
}

const segment = encodeURIComponent;

/**
 * Server-sent events "state" of an order: { source, close }; null where there are none. An EventSource sends no Authorization, so
 * the token goes along as a cookie that no other address gets and that close() takes back.
 */
export function orderEvents(id) {
  const token = session.token;
  if (!token || typeof EventSource === "undefined") return null;
  const path = `/api/v1/orders/${segment(id)}/events`;
  const secure = location.protocol === "https:" ? "; secure" : "";
  const keep = (value, seconds) => {
    document.cookie = `shop-events=${value}; path=${path}; max-age=${seconds}; samesite=strict${secure}`;
  };
  keep(token, 3600);
  const source = new EventSource(path);
  const close = () => {
    source.close();
    keep("", 0);
  };
  return { source, close };
}

export const api = {
  products: (filter, signal) => call("GET", `/api/v1/products${query(filter)}`, { signal }),
  product: (id, signal) => call("GET", `/api/v1/products/${segment(id)}`, { signal }),
  categories: (signal) => call("GET", "/api/v1/categories", { signal }),
  stock: (sku, signal) => call("GET", `/api/v1/inventory/${segment(sku)}`, { signal }),
  register: (body) => call("POST", "/api/v1/users", { body }),
  logIn: (body) => call("POST", "/api/v1/sessions", { body }),
  cart: (signal) => call("GET", "/api/v1/cart", { signal }),
  setCartItem: (sku, quantity) => call("PUT", `/api/v1/cart/items/${segment(sku)}`, { body: { quantity } }),
  removeCartItem: (sku) => call("DELETE", `/api/v1/cart/items/${segment(sku)}`),
  placeOrder: (body, key) => call("POST", "/api/v1/orders", { body, headers: { "Idempotency-Key": key } }),
  orders: (page, signal) => call("GET", `/api/v1/orders${query(page)}`, { signal }),
  order: (id, signal) => call("GET", `/api/v1/orders/${segment(id)}`, { signal }),
  cancelOrder: (id) => call("POST", `/api/v1/orders/${segment(id)}:cancel`, { body: {} }),
  notifications: (page, signal) => call("GET", `/api/v1/notifications${query(page)}`, { signal }),
};
