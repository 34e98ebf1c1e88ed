// What a page must know of the sign-in protocol: addresses, who is asking, where to go back to, and the calls it makes.
// Nothing here touches the document, so that it runs outside of a browser as well.

// The server's root as this page reached it, which may be below another server's path.
export const root = new URL("../", import.meta.url);

// Schemes that run something or show something here instead of leading to an app (login-page.md §1).
const dangerousSchemes = new Set(["javascript:", "data:", "vbscript:", "file:", "about:", "blob:", "filesystem:", "view-source:"]);

// The apps that are known by their exact client id (P-5).
const knownApps = new Map([
  ["https://home-assistant.io/iOS", "iOS"],
  ["https://home-assistant.io/android", "Android"],
]);

// parse gives the URL or null where new URL would throw.
export function parse(address) {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}

const isWeb = (url) => url.protocol === "http:" || url.protocol === "https:";

// redirectAllowed says whether a browser may be sent to the address with a code: absolute, no address that runs here,
// and none that different readers would understand differently (security.md 43).
export function redirectAllowed(address) {
  if (!address || /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff\\]/u.test(address)) return false;
  const url = parse(address);
  if (!url || dangerousSchemes.has(url.protocol) || url.username || url.password) return false;
  if (isWeb(url)) return /^https?:\/\/[^/@?#]+([/?#]|$)/i.test(address);
  return !/^[^:]*:\/\/[^/?#]*@/.test(address);
}

// redirectTarget is the redirect address with the code at its end (login-page.md §8). An issuer is added when the server
// names one (RFC 9207).
export function redirectTarget(address, { code, state, storeToken, issuer }) {
  let separator = "&";
  if (!address.includes("?")) separator = "?";
  else if (/[?&]$/.test(address)) separator = "";
  let target = `${address}${separator}code=${encodeURIComponent(code)}`;
  if (state) target += `&state=${encodeURIComponent(state)}`;
  if (storeToken) target += "&storeToken=true";
  if (issuer) target += `&iss=${encodeURIComponent(issuer)}`;
  return target;
}

// isAppLink says whether only an app, and no web page, can answer the address (P-29).
export const isAppLink = (address) => !isWeb(new URL(address));

// readRequest reads what the client asked for from the page's query. The first of repeated parameters counts.
export function readRequest(search) {
  const query = new URLSearchParams(search);
  return {
    clientId: query.get("client_id") ?? "",
    redirectUri: query.get("redirect_uri") ?? "",
    state: query.get("state") ?? "",
    challenge: query.get("code_challenge"),
    challengeMethod: query.get("code_challenge_method"),
  };
}

// requester says whom the person lets in: {kind: "own"}, {kind: "app", app} or {kind: "client", client}, the last two
// with the destination when the code goes elsewhere than the client's name tells (P-4 to P-7, security.md 41).
export function requester({ clientId, redirectUri }, page) {
  const target = new URL(redirectUri);
  if (isWeb(target) && target.host === page.host) return { kind: "own" };
  const app = knownApps.get(clientId);
  if (app) return { kind: "app", app, destination: isWeb(target) ? target.host : "" };
  const client = parse(clientId);
  const destination = isWeb(target) ? target.host : `${target.protocol}${target.host && "//"}${target.host}`;
  return { kind: "client", client: readable(clientId, client), destination: client?.host === destination ? "" : destination };
}

// readable writes a client id so that letters which only look like others show: the host in ASCII (P-6).
function readable(clientId, url) {
  if (!url) return clientId;
  return url.href === `${clientId}/` ? clientId : url.href;
}

// isOwnClient says whether the client is this server's own pages, or those at the root of its host (P-25).
export function isOwnClient(clientId, page, base = root) {
  return clientId === `${page.protocol}//${page.host}/` || clientId === base.href;
}

// randomHex is a fresh secret of that many bytes.
export function randomHex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// proofKey makes a PKCE verifier and its challenge (RFC 7636), or null where the browser has no hash to offer because the
// page did not come over TLS.
export async function proofKey() {
  if (!crypto.subtle) return null;
  const verifier = randomHex(32);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const challenge = btoa(String.fromCharCode(...new Uint8Array(hash)));
  return { verifier, challenge: challenge.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "") };
}

// An answer that takes longer than this is waited for no more. To judge a password may take seconds where many sign in.
const longest = 30_000; // milliseconds

// call asks the server at a path below its root and gives {ok, status, body}; the body is null when it is not JSON. It
// throws when there is no answer in good time. FormData is sent as a form, anything else as JSON.
export async function call(method, path, body, headers = {}) {
  const response = await fetch(new URL(path, root), {
    method,
    headers,
    body: body === undefined || body instanceof FormData ? body : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    signal: AbortSignal.timeout(longest),
  });
  const text = await response.text();
  let parsed = null;
  try {
    parsed = JSON.parse(text);
  } catch {
    // An answer that is not JSON says nothing more than its status does.
  }
  return { ok: response.ok, status: response.status, body: parsed };
}

// reason is the server's own explanation of a refusal, or "" when it gave none.
export function reason({ body }) {
  const text = body?.message ?? body?.error_description ?? body?.error;
  return typeof text === "string" ? text : "";
}

// providersOf reads both shapes of the answer (P-13) and gives {list, remember}; the list is null when it is neither.
export function providersOf(body) {
  const list = Array.isArray(body) ? body : body?.providers;
  if (!Array.isArray(list)) return { list: null, remember: false };
  return {
    list: list.filter((p) => typeof p?.type === "string"),
    remember: !Array.isArray(body) && body.preselect_remember_me === true,
  };
}

// Login is one attempt to sign in: it starts a flow, answers its steps and drops it. All of it carries a secret that
// only this page holds, so that a flow id that leaked is worth nothing (security.md 48).
export class Login {
  #request;
  #binding = { "X-Latchkey-Binding": randomHex(32) };
  #flow = ""; // the flow that waits for us at the server

  constructor(request) {
    this.#request = request;
  }

  // start begins a flow with a provider.
  async start(provider) {
    const { clientId, redirectUri, challenge, challengeMethod } = this.#request;
    const body = { client_id: clientId, handler: [provider.type, provider.id ?? null], redirect_uri: redirectUri };
    if (challenge !== null) body.code_challenge = challenge;
    if (challengeMethod !== null) body.code_challenge_method = challengeMethod;
    return this.#heard(await call("POST", "auth/login_flow", body, this.#binding));
  }

  // answer sends what the person put into the current step.
  async answer(values) {
    const path = `auth/login_flow/${encodeURIComponent(this.#flow)}`;
    return this.#heard(await call("POST", path, { ...values, client_id: this.#request.clientId }, this.#binding));
  }

  // drop tells the server to forget the flow, without waiting for or caring about what it says.
  drop() {
    if (!this.#flow) return;
    call("DELETE", `auth/login_flow/${encodeURIComponent(this.#flow)}`, undefined, this.#binding).catch(() => {});
    this.#flow = "";
  }

  #heard(answer) {
    if (answer.ok) this.#flow = answer.body?.type === "form" ? answer.body.flow_id : "";
    else if (answer.status === 403 || answer.status === 404) this.#flow = "";
    return answer;
  }
}
