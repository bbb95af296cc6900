import { api } from "../api.js";
import { cart } from "../cart.js";
import { h, toast } from "../dom.js";
import { field, submitting, summary } from "../forms.js";
import { session } from "../session.js";

const kDemo = { email: "demo@degu.example", password: "degu-demo-1" };

/** Where to go after the log-in: a path of this shop only, never another site. */
function nextOf(query) {
  const next = query.get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

function withNext(path, query) {
  return `${path}?next=${encodeURIComponent(nextOf(query))}`;
}

/** Logs in and goes on, unless the visitor has gone elsewhere meanwhile. */
async function enter(credentials, { query, go, signal }) {
  const started = await api.logIn(credentials);
  session.start(started);
  try {
    await cart.mergeGuest();
  } catch (problem) {
    toast(`Your cart could not be carried over: ${problem.message}`, "error");
  }
  toast(`Welcome, ${started.user.name}.`);
  if (!signal.aborted) await go(nextOf(query), { replaceEntry: true });
}

export async function logIn({ query, go, signal }) {
  const email = field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", required: true });
  const password = field({ name: "password", label: "Password", type: "password", autocomplete: "current-password",
      required: true });
  const form = h("form", { class: "panel form form-narrow", novalidate: true, data: { test: "login-form" } },
    h("h1", { text: "Log in" }), summary(), email, password,
    h("button", { class: "button button-wide", type: "submit", text: "Log in", data: { test: "login-button" } }),
    h("p", { class: "muted" }, "Just looking? ",
      h("button", { class: "link", type: "button", text: "Use the demo account", data: { test: "demo-login" },
        on: { click: () => {
          form.elements.email.value = kDemo.email;
          form.elements.password.value = kDemo.password;
          form.requestSubmit();
        } } })),
    h("p", { class: "muted" }, "New here? ",
      h("a", { href: withNext("/register", query), text: "Create an account", data: { test: "register-link" } })));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const credentials = { email: form.elements.email.value.trim(), password: form.elements.password.value };
    submitting(form, () => enter(credentials, { query, go, signal }));
  });
  return [form];
}

export async function register({ query, go, signal }) {
  const form = h("form", { class: "panel form form-narrow", novalidate: true, data: { test: "register-form" } },
    h("h1", { text: "Create an account" }), summary(),
    field({ name: "name", label: "Name", autocomplete: "name", required: true, maxlength: 80 }),
    field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", required: true }),
    field({ name: "password", label: "Password", hint: "At least 8 characters. A short sentence is a good one.",
        type: "password", autocomplete: "new-password",
      required: true, maxlength: 128 }),
    h("button", { class: "button button-wide", type: "submit", text: "Create the account",
        data: { test: "register-button" } }),
    h("p", { class: "muted" }, "Already with us? ", h("a", { href: withNext("/login", query), text: "Log in" })));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submitting(form, async () => {
      const { name, email, password } = form.elements;
      const credentials = { email: email.value.trim(), password: password.value };
      await api.register({ name: name.value.trim(), ...credentials });
      await enter(credentials, { query, go, signal });
    });
  });
  return [form];
}
