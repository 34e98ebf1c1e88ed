// The editor of policies: what is typed is checked as it stands, and shown what it would allow.
import { keep, remember } from "./draft.js";

const form = document.getElementById("group");
const policy = document.getElementById("policy");
const unchecked = document.getElementById("unchecked");
const renew = document.getElementById("renew");
const patience = 350; // milliseconds without a key
const longest = 15_000; // milliseconds that an answer may take
let wait = 0;
let request = null;

// Nobody needs to ask for what comes by itself, unless it did not come. Enter in a field still asks, rather than save what
// is half written.
const offerCheck = (offered) => {
  for (const one of form.querySelectorAll("button[value=check]")) one.hidden = !offered;
};
offerCheck(false);
form.addEventListener("submit", (event) => {
  if (event.submitter?.value !== "check") return;
  event.preventDefault();
  event.stopPropagation();
  check();
});

form.addEventListener("input", ({ target }) => {
  if (target.name === "name") return;
  clearTimeout(wait);
  wait = setTimeout(check, patience);
});

// What a browser put back into the fields, when somebody came back to the page, is not what was answered.
addEventListener("pageshow", () => {
  if ([policy, form.elements.who, form.elements.entity].some((one) => one.value !== one.defaultValue)) check();
});

// check sends the form as it stands and puts what comes back into the page. Of several answers only the last counts.
async function check() {
  clearTimeout(wait);
  request?.abort();
  const mine = new AbortController();
  request = mine;
  const late = setTimeout(() => mine.abort(), longest);
  let status = 0;
  try {
    const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)), signal: mine.signal });
    status = answer.status;
    if (!answer.ok) throw new Error(String(status));
    const checked = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (request !== mine) return;
    show(checked);
    explain("");
  } catch {
    if (request === mine) explain({ 401: "ended", 403: "outdated" }[status] ?? "failed");
  } finally {
    clearTimeout(late);
  }
}

// explain says why there is no answer, or nothing, and offers what can be done about it. The answer to what stood there
// before is none to what stands there now.
function explain(why) {
  if (why) {
    const none = document.getElementById("policy-error");
    none.textContent = "";
    document.getElementById("verdict").replaceChildren(none);
    document.getElementById("outlook").replaceChildren();
    policy.removeAttribute("aria-invalid");
  }
  unchecked.textContent = why ? unchecked.dataset[why] : "";
  offerCheck(why === "failed");
  renew.hidden = !(why in renew.dataset);
  if (!renew.hidden) renew.textContent = renew.dataset[why];
}

// A page that is not good any more is asked for anew, through the sign-in where that is needed.
renew.addEventListener("click", () => {
  remember(form);
  keep();
  location.reload();
});

// show changes only what is different, so that nothing is read out twice.
function show(answer) {
  for (const id of ["verdict", "outlook", "people", "entities"]) {
    const [from, to] = [answer.getElementById(id), document.getElementById(id)];
    if (from.innerHTML !== to.innerHTML) to.replaceChildren(...from.childNodes);
  }
  if (document.getElementById("policy-error").textContent) policy.setAttribute("aria-invalid", "true");
  else policy.removeAttribute("aria-invalid");
}

// A line that is wrong can be gone to.
document.getElementById("verdict").addEventListener("click", (event) => {
  const line = event.target.closest("[data-line]")?.dataset.line;
  if (!line) return;
  event.preventDefault();
  const lines = policy.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
  policy.focus();
  policy.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  policy.scrollTop = policy.scrollHeight * ((line - 1) / lines.length) - policy.clientHeight / 2;
});
