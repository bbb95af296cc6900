// Forms whose errors stand beside their fields.
import { h, replace } from "./dom.js";

/** A labelled input. `name` is the field's name in the request and in the server's error list. */
export function field({ name, label, hint, ...attributes }) {
  const id = `field-${name.replace(/\W/g, "-")}`;
  const describedBy = [hint ? `${id}-hint` : "", `${id}-error`].filter(Boolean).join(" ");
  return h("div", { class: "field", data: { field: name } },
    h("label", { for: id, text: label }),
    hint && h("p", { class: "hint", id: `${id}-hint`, text: hint }),
    h("input", { id, name, "aria-describedby": describedBy, data: { test: `input-${name}` }, ...attributes }),
    h("p", { class: "field-error", id: `${id}-error`, data: { test: `error-${name}` } }));
}

/** The box above a form that says what is wrong with the whole. */
export function summary() {
  return h("div", { class: "form-error", role: "alert", hidden: true, data: { test: "form-error" } });
}

export function clearErrors(form) {
  for (const place of form.querySelectorAll(".field-error")) place.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  const box = form.querySelector(".form-error");
  if (box) {
    box.hidden = true;
    box.textContent = "";
  }
}

/** Puts each field's reason beside it and the rest into the summary; the focus goes to the first wrong field. */
export function showProblem(form, problem) {
  clearErrors(form);
  const left = [];
  let first = null;
  for (const [name, reason] of problem.fields ?? []) {
    const place = [...form.querySelectorAll("[data-field]")].find((element) => element.dataset.field === name);
    if (!place) {
      left.push(`${name}: ${reason}`);
      continue;
    }
    place.querySelector(".field-error").textContent = sentence(reason);
    const input = place.querySelector("input, select");
    input?.setAttribute("aria-invalid", "true");
    first ??= input;
  }
  const box = form.querySelector(".form-error");
  if (box && (left.length || !first)) {
    box.hidden = false;
    replace(box, left.length ? left.join("; ") : problem.message,
      problem.requestId && !(problem.status < 500) && h("small", { text: ` (request ${problem.requestId})` }));
  }
  first?.focus();
}

function sentence(text) {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

/** Runs `action` while the form's button is busy, so that a second click does nothing. */
export async function submitting(form, action) {
  const button = form.querySelector("button[type=submit]");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  try {
    clearErrors(form);
    await action();
  } catch (problem) {
    showProblem(form, problem);
  } finally {
    button.removeAttribute("aria-disabled");
    button.classList.remove("busy");
  }
}
