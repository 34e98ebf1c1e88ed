// The sign-in of the server's own pages, with storage and server played by the test.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { root } from "../static/oauth.js";
import {
  Refused, accept, authorizeAddress, begin, callbackAddress, continuesElsewhere, pathOf, readCallback,
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

beforeEach(() => {
  globalThis.sessionStorage = storage();
  sent = [];
  answer = [200, {}];
  globalThis.fetch = async (url, { method, headers, body }) => {
    sent.push({ method, path: String(url).slice(root.href.length), page: headers["X-Latchkey-Page"], ...Object.fromEntries(body) });
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

test("a return begins a session once, with the proof of who began it, and goes on to the account", async () => {
  const { state, challenge } = await begin();
  assert.equal(typeof challenge, "string");
  assert.equal((await accept({ code: "C", state, storeToken: false })).href, `${root.href}account`);
  const { code_verifier: verifier, ...rest } = sent[0];
  assert.deepEqual(rest, { method: "POST", path: "session", page: "1", client_id: root.href, code: "C" });
  assert.match(verifier, /^[0-9a-f]{64}$/);
  assert.equal(await accept({ code: "C", state, storeToken: false }), null);
  assert.equal(sent.length, 1);
});

test("a return that nobody here asked for begins nothing", async () => {
  for (const callback of [{ code: "C", state: "" }, { code: "C", state: "other" }, { code: "", state: null }]) {
    const { state } = await begin();
    assert.equal(await accept({ storeToken: false, ...callback, state: callback.state ?? state }), null);
  }
  assert.equal(sent.length, 0);
});

test("spec: login-page.md, P-27: the session is kept only when asked to", async () => {
  for (const storeToken of [false, true]) {
    const { state } = await begin({ withProof: false });
    await accept({ code: "C", state, storeToken });
  }
  assert.deepEqual(sent.map(({ keep }) => keep), [undefined, "true"]);
  assert.equal("code_verifier" in sent[0], false);
});

test("it goes on to the page that was wanted, if that is one of this server's", async () => {
  for (const [next, target] of [["admin/users?q=x", "admin/users?q=x"], ["", "account"], ["https://evil.example/", "account"],
    ["//evil.example/", "account"], ["javascript:alert(1)", "account"], ["../elsewhere", "account"]]) {
    const { state } = await begin({ next });
    assert.equal((await accept({ code: "C", state, storeToken: false })).href, root.href + target, next);
  }
});

test("an address is one of this server's only below its root", () => {
  assert.equal(pathOf("https://home.example/hub/account?a=1#x", home), "account?a=1");
  for (const address of ["https://home.example/", "https://home.example/hubris", "https://evil.example/hub/account", "no address"]) {
    assert.equal(pathOf(address, home), "", address);
  }
});

test("a refused exchange says why, a broken one is no refusal", async () => {
  const { state } = await begin();
  answer = [400, { error: "invalid_request", error_description: "Invalid code" }];
  await assert.rejects(accept({ code: "C", state, storeToken: false }), (error) => error instanceof Refused && error.message === "Invalid code");
  const again = await begin();
  answer = [503, {}];
  await assert.rejects(accept({ code: "C", state: again.state, storeToken: false }), (error) => !(error instanceof Refused));
});

test("spec: onboarding.md, §4: an app that was on its way to signing in is gone on with", () => {
  assert.equal(continuesElsewhere("?client_id=https://a/&redirect_uri=homeassistant://cb"), true);
  assert.equal(continuesElsewhere("?client_id=https://a/"), false);
  assert.equal(continuesElsewhere("?client_id=https://a/&redirect_uri=cb"), false);
  assert.equal(continuesElsewhere(""), false);
});
