// What every page for people who are signed in gets on top of its HTML, all of which works without.
import { bringBack, keep, remember } from "./draft.js";
import { button, storeLanguage } from "./ui.js";

const language = document.documentElement.lang;

// Instants come in UTC and are shown in the person's own time.
const form = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = form.format(new Date(time.dateTime));
}

// Another language is another page. It is asked for anew: nobody wants to send a form twice.
document.getElementById("language").addEventListener("change", ({ target }) => {
  storeLanguage(target.value);
  location.assign(location.href.replace(/#.*/, ""));
});

// What was done is told once.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

// A form that came back says what is wrong, and begins where it can be mended.
const wrong = document.querySelector("[aria-invalid=true]") ?? document.getElementById("problem");

// Nothing is sent twice, not even where a second click comes before the first has had its effect. The button is switched
// off a moment later, since what it says belongs to the form.
addEventListener("submit", (event) => {
  const { target, submitter } = event;
  if (target.dataset.sent) return event.preventDefault();
  target.dataset.sent = "true";
  remember(target);
  setTimeout(() => {
    if (submitter && target.dataset.sent) submitter.disabled = true;
  });
});

// A page that may be come back to keeps what was typed, but no password.
addEventListener("pagehide", () => {
  for (const one of document.querySelectorAll("input[autocomplete$=password]")) one.value = "";
});

// Whoever comes back to the page, or stops waiting for an answer, can send the form again.
addEventListener("pageshow", release);
globalThis.navigation?.addEventListener("navigateerror", release);
function release() {
  for (const sent of document.querySelectorAll("form[data-sent]")) {
    delete sent.dataset.sent;
    for (const one of sent.querySelectorAll("button:disabled")) one.disabled = false;
  }
}

// data-copy names the element whose text is copied; without a clipboard there is no button.
for (const one of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  one.hidden = false;
  one.addEventListener("click", async () => {
    const from = document.getElementById(one.dataset.copy);
    const copied = await navigator.clipboard.writeText(from.dataset.plain ?? from.value ?? from.innerText).then(() => true, () => false);
    document.getElementById(one.dataset.told).textContent = copied ? one.dataset.copied : one.dataset.failed;
  });
}

// Passwords can be looked at.
const eyes = document.getElementById("eyes");
for (const input of document.querySelectorAll("input[type=password]")) {
  const eye = button("", "", () => reveal(input.type === "password"));
  const reveal = (shown) => {
    input.type = shown ? "text" : "password";
    eye.classList.toggle("shown", shown);
    eye.title = shown ? eyes.dataset.hide : eyes.dataset.show;
    eye.setAttribute("aria-label", eye.title);
  };
  eye.className = "reveal";
  eye.setAttribute("aria-controls", input.id);
  eye.append(eyes.content.cloneNode(true));
  const box = document.createElement("div");
  box.className = "secret";
  input.replaceWith(box);
  box.append(input, eye);
  input.form.addEventListener("submit", () => reveal(false));
  reveal(false);
  if (input.autofocus && !wrong) input.focus();
}
wrong?.focus();

// What was typed into a form that was not taken is there again where the form is.
if (document.querySelector("main[data-unsent]")) keep();
else bringBack()?.focus();
