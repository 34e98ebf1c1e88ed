// How the server's own pages sign in: they ask for a code like any other client, and have the server keep the session that
// it stands for in a cookie, which no script can read. Nothing here touches the document.
import { call, parse, proofKey, randomHex, reason, root } from "./oauth.js";

const pendingKey = "latchkey.pending";

// Refused says that the server will not let this person in, in its own words; anything else that goes wrong may pass.
export class Refused extends Error {}

// authorizeAddress is where signing in begins for a client that lives at base.
export function authorizeAddress(base, { state, challenge }) {
  const query = new URLSearchParams({
    response_type: "code",
    redirect_uri: `${base.href}?auth_callback=1`,
    client_id: base.href,
    state,
  });
  if (challenge) {
    query.set("code_challenge", challenge);
    query.set("code_challenge_method", "S256");
  }
  return `${new URL("auth/authorize", base)}?${query}`;
}

// callbackAddress is where the home page finds a code that did not come through the sign-in page.
export function callbackAddress(base, { code, state }) {
  return `${base.href}?${new URLSearchParams({ auth_callback: "1", code, state })}`;
}

// readCallback reads a return to the home page: null when it is none, else {code, state, storeToken}.
export function readCallback(search) {
  const query = new URLSearchParams(search);
  if (!query.has("auth_callback")) return null;
  return {
    code: query.get("code") ?? "",
    state: query.get("state") ?? "",
    storeToken: query.get("storeToken") === "true",
  };
}

// pathOf is where an address is below the root, or "" when it is elsewhere: only such addresses are gone back to.
export function pathOf(address, base = root) {
  const url = parse(address);
  if (!url || url.origin !== base.origin || !url.pathname.startsWith(base.pathname)) return "";
  return url.pathname.slice(base.pathname.length) + url.search;
}

// begin remembers that a sign-in was started in this tab, and gives what its return must carry. A return that nobody
// here asked for would sign the person in as somebody else. next is the path below the root to go on to.
export async function begin({ withProof = true, next = "" } = {}) {
  const proof = withProof ? await proofKey() : null;
  const pending = { state: randomHex(16), verifier: proof?.verifier, next };
  sessionStorage.setItem(pendingKey, JSON.stringify(pending));
  return { state: pending.state, challenge: proof?.challenge };
}

// accept has the server begin a session with the code of a return. It gives the address to go on to, or null when the
// return does not belong to a sign-in started here.
export async function accept({ code, state, storeToken }) {
  const pending = read(pendingKey);
  sessionStorage.removeItem(pendingKey);
  if (!code || !state || pending?.state !== state) return null;
  const form = new FormData();
  form.append("client_id", root.href);
  form.append("code", code);
  if (pending.verifier) form.append("code_verifier", pending.verifier);
  if (storeToken) form.append("keep", "true");
  const answer = await call("POST", "session", form, { "X-Latchkey-Page": "1" });
  if (answer.status === 400 || answer.status === 403) throw new Refused(reason(answer));
  if (!answer.ok) throw new Error(`session: ${answer.status}`);
  const next = new URL(pending.next ?? "", root);
  return pathOf(next.href) ? next : new URL("account", root);
}

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}

// continuesElsewhere says whether the page was opened on the way to an app's sign-in, which its query then describes.
export function continuesElsewhere(search) {
  const query = new URLSearchParams(search);
  return Boolean(query.get("client_id")) && parse(query.get("redirect_uri")) !== null;
}
