// What was typed into a form comes back where the form could not be taken: the session had ended, say, or the server was
// away. Until then it is kept in this tab, for the person who typed it. Passwords and codes are never kept.
import { element } from "./ui.js";

const key = "latchkey.draft";
const secrets = /password|one-time-code/;

// remember keeps what stands in a form that is being sent. Of forms that ask for nothing nothing is kept.
export function remember(form) {
  if (form.method !== "post") return;
  const fields = [...form.elements].filter(isTyped).map((one) => [one.name, one.value, one.checked === true]);
  // What the page showed goes with it, so that what others have changed meanwhile is noticed as if nothing had happened.
  const { seen } = form.elements;
  write(fields.length > 0 ? { person: person(), action: actionOf(form), fields, seen: seen?.value, unsent: false } : null);
}

// keep is for pages that stand in the place of the answer to a form: what was typed waits until the form is there again.
export function keep() {
  const draft = read();
  if (draft) write({ ...draft, unsent: true });
}

// drop is for whoever leaves.
export const drop = () => write(null);

// bringBack puts what was typed into its form again, if that is on this page, and gives the field to go on at: the first
// that has to be filled in, else the first that differs. Any other page is the answer to what was sent, or shows that
// nobody waits for it any more. Whoever goes back from an error of the browser's own got no answer.
export function bringBack() {
  const draft = read();
  if (!draft) return null;
  write(null);
  const wentBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  if (draft.person !== person() || !(draft.unsent || wentBack)) return null;
  const form = [...document.forms].find((one) => one.method === "post" && actionOf(one) === draft.action);
  if (!form) return null;
  const changed = draft.fields.map((field) => fill(form, field)).filter(Boolean);
  if (changed.length === 0) return null;
  if (draft.seen && form.elements.seen) form.elements.seen.value = draft.seen;
  announce(form);
  return [...form.elements].find((one) => one.required && !one.value && one.getClientRects().length > 0) ?? changed[0];
}

// fill puts a value back and gives its field, if another one stood there.
function fill(form, [name, value, checked]) {
  for (const one of form.elements) {
    if (one.name !== name || !isTyped(one)) continue;
    if (["checkbox", "radio"].includes(one.type)) {
      if (one.value !== value || one.checked === checked) continue;
      one.checked = checked;
      return one;
    }
    if (one.value === value) return null;
    one.value = value;
    return one.value === value ? one : null; // a choice may be gone
  }
  return null;
}

// announce says, in the form, where all that comes from.
function announce(form) {
  const { back, secrets: typeAgain } = document.getElementById("draft").dataset;
  const lines = [back, ...([...form.elements].some(isSecret) ? [typeAgain] : [])];
  const box = element("div", { class: "note note-info", role: "status" });
  form.prepend(box);
  box.append(...lines.map((line) => element("p", {}, line)));
}

const person = () => document.documentElement.dataset.person ?? "";
const actionOf = (form) => form.action.replace(/#.*/, "");
const isSecret = (one) => one.type === "password" || secrets.test(one.autocomplete ?? "");
const isTyped = (one) =>
  Boolean(one.name) && !isSecret(one) && !one.readOnly && !["hidden", "submit", "button", "reset", "fieldset"].includes(one.type);

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

function write(draft) {
  try {
    if (draft) sessionStorage.setItem(key, JSON.stringify(draft));
    else sessionStorage.removeItem(key);
  } catch {
    // Without storage, or where it is full, nothing is kept.
  }
}
