// The home page: it signs in at its own server, says who is signed in, and signs out.
import { call, root } from "./oauth.js";
import { Refused, accept, authorizeAddress, begin, end, forget, known, readCallback, whoAmI } from "./session.js";
import { button, element, note, speak } from "./ui.js";

const place = (id) => document.getElementById(id);

let words = null;
let redraw = () => {};

async function main() {
  words = await speak(["home", "authorize"], (changed) => {
    words = changed;
    redraw();
  });
  const callback = readCallback(location.search);
  if (callback) {
    // The code is worth nothing once used, yet it belongs neither into the history nor into a bookmark.
    history.replaceState(null, "", root);
    const problem = await exchange(callback);
    if (problem) return showSignIn(problem);
  }
  if (known()) await showUser();
  else await welcome();
}

// exchange gives the key of what went wrong, and what the server said about it.
async function exchange(callback) {
  try {
    return (await accept(callback)) ? null : { kind: "error", key: "not_started_here" };
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

function showSignIn(message) {
  show("title", message, () => [
    element("p", { class: "lead" }, words.text("sign_in_text")),
    button("primary", words.text("sign_in"), async () => location.assign(authorizeAddress(root, await begin()))),
  ]);
}

async function showUser() {
  let user;
  try {
    user = await whoAmI();
  } catch (error) {
    if (!(error instanceof Refused)) return showRetry();
    forget();
    return showSignIn({ kind: "info", key: "signed_out_elsewhere" });
  }
  const draw = (message) => show("signed_in", message, () => {
    const name = words.parts("signed_in_as", { name: user.name ?? words.text("nobody") })
      .map((part) => (part.name ? element("strong", {}, element("bdi", {}, part.text)) : part.text));
    const leave = button("secondary", words.text("sign_out"), async () => {
      leave.disabled = true;
      try {
        await end();
      } catch {
        return draw({ kind: "error", key: "sign_out_failed" });
      }
      showSignIn({ kind: "info", key: "signed_out" });
    });
    return [element("p", { class: "who" }, ...name), element("p", { class: "lead" }, role(user)), leave];
  });
  draw(null);
}

function role({ is_owner: owner, is_admin: admin }) {
  if (owner) return words.text("role_owner");
  return admin ? words.text("role_admin") : words.text("role_user");
}

function showRetry() {
  show("title", { kind: "error", key: "unreachable" }, () => [
    button("primary", words.text("try_again"), () => location.reload()),
  ]);
}

// show puts a card on the page: its title, a message or none, and the rest. After a message the focus goes to what can be
// done about it; without one nothing has happened yet that would make moving it welcome.
function show(title, message, parts) {
  redraw = () => {
    place("title").textContent = words.text(title);
    place("status").textContent = "";
    const text = message && words.text(message.key);
    place("alert").replaceChildren(...(text ? [note(message.kind, message.said ? `${text} (${message.said})` : text)] : []));
    place("step").replaceChildren(...parts());
    if (message) place("step").querySelector("button")?.focus();
  };
  redraw();
}

main();
