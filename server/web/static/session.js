// The home page as a client of its own server: it asks for a code, exchanges it, and keeps the tokens in this browser.
// Nothing here touches the document.
import { call, parse, proofKey, randomHex, reason, root } from "./oauth.js";

const tokensKey = "latchkey.tokens";
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

// begin remembers that a sign-in was started in this tab, and gives what its return must carry. A return that nobody
// here asked for would sign the person in as somebody else.
export async function begin({ withProof = true } = {}) {
  const proof = withProof ? await proofKey() : null;
  const pending = { state: randomHex(16), verifier: proof?.verifier };
  sessionStorage.setItem(pendingKey, JSON.stringify(pending));
  return { state: pending.state, challenge: proof?.challenge };
}

// accept exchanges the code of a return for tokens and keeps them. It gives false when the return does not belong to a
// sign-in started here.
export async function accept({ code, state, storeToken }) {
  const pending = read(sessionStorage, pendingKey);
  sessionStorage.removeItem(pendingKey);
  if (!code || !state || pending?.state !== state) return false;
  const fields = { client_id: root.href, code, grant_type: "authorization_code" };
  if (pending.verifier) fields.code_verifier = pending.verifier;
  const tokens = await ask(fields);
  forget();
  (storeToken ? localStorage : sessionStorage).setItem(tokensKey, JSON.stringify(tokens));
  return true;
}

// known says whether this browser holds tokens.
export const known = () => kept() !== null;

// forget drops the tokens from this browser.
export function forget() {
  for (const storage of [sessionStorage, localStorage]) storage.removeItem(tokensKey);
}

// end makes the tokens worthless at the server and drops them here.
export async function end() {
  const { tokens } = kept() ?? {};
  if (tokens) {
    const { ok, status } = await call("POST", "auth/revoke", form({ token: tokens.refresh_token }));
    if (!ok) throw new Error(`revoke: ${status}`);
  }
  forget();
}

// whoAmI asks the server for the signed-in user: {name, is_owner, is_admin, …}. An access token that ran out is replaced
// first, one that is refused is replaced once.
export async function whoAmI() {
  const { tokens } = kept();
  let fresh = tokens.expires <= Date.now();
  let access = fresh ? await refresh() : tokens.access_token;
  for (;;) {
    try {
      return await currentUser(access);
    } catch (error) {
      if (!(error instanceof Refused) || fresh) throw error;
      fresh = true;
      access = await refresh();
    }
  }
}

// refresh replaces the access token; the refresh token stays, unless the server sends another.
async function refresh() {
  const { tokens, storage } = kept();
  const next = await ask({ client_id: root.href, grant_type: "refresh_token", refresh_token: tokens.refresh_token });
  storage.setItem(tokensKey, JSON.stringify({ ...tokens, ...next }));
  return next.access_token;
}

// ask gets tokens from the token endpoint, with the time when the access token runs out.
async function ask(fields) {
  const answer = await call("POST", "auth/token", form(fields));
  if (answer.status === 400 || answer.status === 403) throw new Refused(reason(answer));
  if (!answer.ok || typeof answer.body?.access_token !== "string") throw new Error(`token: ${answer.status}`);
  return { ...answer.body, expires: Date.now() + answer.body.expires_in * 1000 };
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

// currentUser opens a socket for one question.
function currentUser(accessToken) {
  const address = new URL("api/websocket", root);
  address.protocol = address.protocol.replace("http", "ws");
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address);
    const send = (message) => socket.send(JSON.stringify(message));
    const done = (settle, value) => {
      settle(value);
      socket.close();
    };
    socket.addEventListener("open", () => send({ type: "auth", access_token: accessToken }));
    socket.addEventListener("close", () => reject(new Error("socket closed")));
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "auth_invalid") done(reject, new Refused(message.message));
      else if (message.type === "auth_ok") send({ id: 1, type: "auth/current_user" });
      else if (message.type === "result" && message.success) done(resolve, message.result);
      else if (message.type === "result") done(reject, new Error(message.error?.message));
    });
  });
}

// kept finds the tokens and where they are kept: null when there are none.
function kept() {
  for (const storage of [sessionStorage, localStorage]) {
    const tokens = read(storage, tokensKey);
    if (typeof tokens?.refresh_token === "string") return { tokens, storage };
  }
  return null;
}

function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

// continuesElsewhere says whether the page was opened on the way to an app's sign-in, which its query then describes.
export function continuesElsewhere(search) {
  const query = new URLSearchParams(search);
  return Boolean(query.get("client_id")) && parse(query.get("redirect_uri")) !== null;
}
