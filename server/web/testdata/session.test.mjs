// The home page's sign-in, with storage and server played by the test.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { root } from "../static/oauth.js";
import {
  Refused, accept, authorizeAddress, begin, callbackAddress, continuesElsewhere, end, known, readCallback, whoAmI,
} from "../static/session.js";

function storage() {
  const values = new Map();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => values.set(key, String(value)),
    removeItem: (key) => values.delete(key),
  };
}

let sent = [];
let answer = null;
let refuseAccess = new Set();

// Socket plays the WebSocket API: an access token in refuseAccess is invalid, any other belongs to Anna.
class Socket extends EventTarget {
  constructor() {
    super();
    queueMicrotask(() => this.dispatchEvent(new Event("open")));
  }

  send(text) {
    const message = JSON.parse(text);
    const say = (data) => queueMicrotask(() => this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(data) })));
    if (message.type === "auth") say(refuseAccess.has(message.access_token) ? { type: "auth_invalid", message: "Invalid" } : { type: "auth_ok" });
    else say({ id: message.id, type: "result", success: true, result: { name: "Anna" } });
  }

  close() {
    queueMicrotask(() => this.dispatchEvent(new Event("close")));
  }
}

beforeEach(() => {
  globalThis.sessionStorage = storage();
  globalThis.localStorage = storage();
  globalThis.WebSocket = Socket;
  sent = [];
  refuseAccess = new Set();
  answer = [200, { access_token: "A", refresh_token: "R", expires_in: 1800 }];
  globalThis.fetch = async (url, { body }) => {
    sent.push({ path: String(url).replace(/^.*\/(?=auth\/)/, ""), ...Object.fromEntries(body) });
    return new Response(JSON.stringify(answer[1]), { status: answer[0] });
  };
});

const home = new URL("https://home.example/hub/");

test("the way to sign in names the home page as client and as return", () => {
  const url = new URL(authorizeAddress(home, { state: "S", challenge: "C" }));
  assert.equal(url.origin + url.pathname, "https://home.example/hub/auth/authorize");
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    response_type: "code", redirect_uri: "https://home.example/hub/?auth_callback=1", client_id: "https://home.example/hub/",
    state: "S", code_challenge: "C", code_challenge_method: "S256",
  });
  assert.equal(new URL(authorizeAddress(home, { state: "S" })).searchParams.has("code_challenge"), false);
});

test("the first account's code is found again by the home page", () => {
  assert.deepEqual(readCallback(new URL(callbackAddress(home, { code: "C", state: "S" })).search), { code: "C", state: "S", storeToken: false });
  assert.equal(readCallback("?code=C"), null);
  assert.equal(readCallback("?auth_callback=1&code=C&storeToken=true").storeToken, true);
});

test("a return is exchanged once, with the proof of who began it", async () => {
  const { state, challenge } = await begin();
  assert.equal(typeof challenge, "string");
  assert.equal(await accept({ code: "C", state, storeToken: false }), true);
  assert.equal(sent[0].path, "auth/token");
  assert.equal(sent[0].grant_type, "authorization_code");
  assert.equal(sent[0].client_id, root.href);
  assert.match(sent[0].code_verifier, /^[0-9a-f]{64}$/);
  assert.equal(known(), true);
  assert.equal(await accept({ code: "C", state, storeToken: false }), false);
  assert.equal(sent.length, 1);
});

test("a return that nobody here asked for is not exchanged", async () => {
  for (const callback of [{ code: "C", state: "" }, { code: "C", state: "other" }, { code: "", state: null }]) {
    const { state } = await begin();
    assert.equal(await accept({ storeToken: false, ...callback, state: callback.state ?? state }), false);
  }
  assert.equal(sent.length, 0);
  assert.equal(known(), false);
});

test("spec: login-page.md, P-27: tokens stay in the browser only when asked to", async () => {
  for (const storeToken of [false, true]) {
    const { state } = await begin({ withProof: false });
    await accept({ code: "C", state, storeToken });
    assert.equal(localStorage.getItem("latchkey.tokens") !== null, storeToken);
    assert.equal(sessionStorage.getItem("latchkey.tokens") !== null, !storeToken);
  }
  assert.equal("code_verifier" in sent[0], false);
});

test("a refused exchange says why, a broken one is no refusal", async () => {
  const { state } = await begin();
  answer = [400, { error: "invalid_request", error_description: "Invalid code" }];
  await assert.rejects(accept({ code: "C", state, storeToken: false }), (error) => error instanceof Refused && error.message === "Invalid code");
  const again = await begin();
  answer = [503, {}];
  await assert.rejects(accept({ code: "C", state: again.state, storeToken: false }), (error) => !(error instanceof Refused));
});

async function signIn() {
  const { state } = await begin();
  await accept({ code: "C", state, storeToken: false });
  sent = [];
  answer = [200, { access_token: "B", expires_in: 1800 }];
}

test("a good access token is used as it is", async () => {
  await signIn();
  assert.equal((await whoAmI()).name, "Anna");
  assert.equal(sent.length, 0);
});

test("an access token that ran out or was refused is replaced once, and the refresh token is kept", async () => {
  await signIn();
  refuseAccess.add("A");
  assert.equal((await whoAmI()).name, "Anna");
  assert.deepEqual(sent, [{ path: "auth/token", client_id: root.href, grant_type: "refresh_token", refresh_token: "R" }]);
  const tokens = JSON.parse(sessionStorage.getItem("latchkey.tokens"));
  assert.equal(tokens.refresh_token, "R");
  sessionStorage.setItem("latchkey.tokens", JSON.stringify({ ...tokens, expires: 0 }));
  assert.equal((await whoAmI()).name, "Anna");
  assert.equal(sent.length, 2);
});

test("when the fresh access token is refused as well, the person is signed out", async () => {
  await signIn();
  refuseAccess = new Set(["A", "B"]);
  await assert.rejects(whoAmI(), Refused);
  assert.equal(sent.length, 1);
});

test("signing out revokes the refresh token first, and keeps it when that fails", async () => {
  await signIn();
  answer = [500, {}];
  await assert.rejects(end());
  assert.equal(known(), true);
  answer = [200, {}];
  await end();
  assert.equal(sent.at(-1).path, "auth/revoke");
  assert.equal(sent.at(-1).token, "R");
  assert.equal(known(), false);
});

test("spec: onboarding.md, §4: an app that was on its way to signing in is gone on with", () => {
  assert.equal(continuesElsewhere("?client_id=https://a/&redirect_uri=homeassistant://cb"), true);
  assert.equal(continuesElsewhere("?client_id=https://a/"), false);
  assert.equal(continuesElsewhere("?client_id=https://a/&redirect_uri=cb"), false);
  assert.equal(continuesElsewhere(""), false);
});
