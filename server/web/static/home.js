// The way in for who is not signed in: it starts a sign-in, takes its return, and goes on to the page that was wanted.
import { drop, keep } from "./draft.js";
import { call, root } from "./oauth.js";
import { Refused, accept, authorizeAddress, begin, pathOf, readCallback } from "./session.js";
import { button, element, note, speak } from "./ui.js";

const place = (id) => document.getElementById(id);
const signedOut = "#signed-out";

// The page stands in the place of one that needs a sign-in, and leads through it.
const wanted = document.documentElement.hasAttribute("data-door") ? pathOf(location.href) : "";

let words = null;
let redraw = () => {};

async function main() {
  words = await speak((changed) => {
    words = changed;
    redraw();
  });
  const callback = readCallback(location.search);
  if (callback) {
    // The code is worth nothing once used, yet it belongs neither into the history nor into a bookmark.
    history.replaceState(null, "", root);
    return showSignIn(await exchange(callback));
  }
  if (location.hash === signedOut) {
    drop();
    history.replaceState(null, "", root);
    return showSignIn({ kind: "info", key: "signed_out" });
  }
  if (wanted) {
    keep();
    return signIn((address) => location.replace(address));
  }
  await welcome();
}

// exchange goes on to the page that was wanted, or gives the key of what went wrong and what the server said about it.
async function exchange(callback) {
  if (!navigator.cookieEnabled) return { kind: "error", key: "no_cookies" };
  try {
    const next = await accept(callback);
    if (!next) return { kind: "error", key: "not_started_here" };
    location.replace(next);
    return new Promise(() => {});
  } catch (error) {
    return error instanceof Refused ? { kind: "error", key: "refused", said: error.message } : { kind: "error", key: "unreachable" };
  }
}

// welcome shows the way in, which leads to the first account as long as there is none.
async function welcome() {
  try {
    const { status, body } = await call("GET", "auth/providers");
    if (status === 400 && body?.code === "onboarding_required") return location.replace(new URL("onboarding.html", root));
  } catch {
    return showSignIn({ kind: "error", key: "unreachable" });
  }
  showSignIn(null);
}

// signIn leads to the sign-in page. Where a browser keeps nothing for this address there is no coming back from there.
async function signIn(go) {
  let address;
  try {
    address = authorizeAddress(root, await begin({ next: wanted }));
  } catch {
    return showSignIn({ kind: "error", key: "no_cookies" });
  }
  go(address);
}

// showSignIn shows the way in, with a message or none. After a message the focus goes to what can be done about it; without
// one nothing has happened yet that would make moving it welcome.
function showSignIn(message) {
  redraw = () => {
    place("title").textContent = words.text("title");
    place("status").textContent = "";
    const text = message && words.text(message.key);
    place("alert").replaceChildren(...(text ? [note(message.kind, message.said ? `${text} (${message.said})` : text)] : []));
    place("step").replaceChildren(
      element("p", { class: "lead" }, words.text("sign_in_text")),
      button("primary", words.text("sign_in"), () => signIn((address) => location.assign(address))));
    if (message) place("step").querySelector("button").focus();
  };
  redraw();
}

main();
