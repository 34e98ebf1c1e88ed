// Rules of the sign-in protocol that need no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isAppLink, isOwnClient, proofKey, providersOf, randomHex, readRequest, reason, redirectAllowed, redirectTarget, requester,
} from "../static/oauth.js";

const page = { protocol: "https:", host: "home.example:8123" };

test("spec: login-page.md, §1 and security.md 43: redirect addresses", async (t) => {
  const rows = [
    ["https://a.example/cb", true],
    ["http://192.168.1.5:8123/?auth_callback=1", true],
    ["HTTPS://a.example", true],
    ["http://[::1]:8123/", true],
    ["https://a.example/@anna", true],
    ["homeassistant://auth-callback", true],
    ["app.example:callback", true],
    ["https://wear.googleapis.com/3p_auth/io.homeassistant.companion.android", true],
    ["", false],
    ["/relative", false],
    ["cb?x=1", false],
    ["//evil.example/", false],
    ["/\\evil.example/", false],
    ["https:/\\evil.example/", false],
    ["https:evil.example", false],
    ["https:///evil.example", false],
    ["https://good.example\\@evil.example/", false],
    ["https://good@evil.example/", false],
    ["https://@evil.example/", false],
    ["https://good:pw@evil.example/", false],
    ["homeassistant://good@evil/", false],
    ["javascript:alert(1)", false],
    ["JaVaScRiPt:alert(1)", false],
    ["java\nscript:alert(1)", false],
    ["java\tscript:alert(1)", false],
    [" javascript:alert(1)", false],
    ["\u0001javascript:alert(1)", false],
    ["data:text/html,x", false],
    ["vbscript:x", false],
    ["file:///etc/passwd", false],
    ["about:blank", false],
    ["blob:https://a.example/x", false],
    ["https://a.example/\r\nx", false],
    ["http://", false],
  ];
  for (const [address, allowed] of rows) {
    await t.test(`${JSON.stringify(address)} is ${allowed ? "allowed" : "refused"}`, () => {
      assert.equal(redirectAllowed(address), allowed);
    });
  }
});

test("spec: login-page.md, §8 and P-30: where the browser goes with the code", async (t) => {
  const rows = [
    ["https://a.example/cb", "https://a.example/cb?code=C&state=S"],
    ["https://a.example/cb?auth_callback=1", "https://a.example/cb?auth_callback=1&code=C&state=S"],
    ["https://a.example/cb?", "https://a.example/cb?code=C&state=S"],
    ["https://a.example/cb?x=1&", "https://a.example/cb?x=1&code=C&state=S"],
    ["https://a.example/cb#frag", "https://a.example/cb#frag?code=C&state=S"],
    ["homeassistant://auth-callback", "homeassistant://auth-callback?code=C&state=S"],
    ["https://wear.googleapis.com/3p_auth/io.homeassistant.companion.android",
      "https://wear.googleapis.com/3p_auth/io.homeassistant.companion.android?code=C&state=S"],
  ];
  for (const [address, target] of rows) {
    await t.test(address, () => assert.equal(redirectTarget(address, { code: "C", state: "S" }), target));
  }
  await t.test("an empty state is left out", () => {
    assert.equal(redirectTarget("https://a.example/", { code: "C", state: "" }), "https://a.example/?code=C");
  });
  await t.test("a state in base64 arrives percent-encoded", () => {
    assert.equal(redirectTarget("https://a.example/", { code: "C", state: "a+/b=" }), "https://a.example/?code=C&state=a%2B%2Fb%3D");
  });
  await t.test("staying signed in is passed on", () => {
    assert.equal(redirectTarget("https://a.example/", { code: "C", state: "S", storeToken: true }),
      "https://a.example/?code=C&state=S&storeToken=true");
  });
  await t.test("spec: security.md, 35: an issuer that the server named is passed on", () => {
    assert.equal(redirectTarget("https://a.example/", { code: "C", issuer: "https://h.example" }),
      "https://a.example/?code=C&iss=https%3A%2F%2Fh.example");
  });
});

test("spec: login-page.md, P-29: addresses that only an app answers", () => {
  assert.equal(isAppLink("homeassistant://auth-callback"), true);
  assert.equal(isAppLink("http://a.example/"), false);
  assert.equal(isAppLink("https://a.example/"), false);
});

test("spec: login-page.md, §1: what the client asked for", () => {
  const request = readRequest("?response_type=code&client_id=https%3A%2F%2Fa%2F&client_id=x&redirect_uri=https://a/cb&state=a%2Bb%3D");
  assert.deepEqual(request, {
    clientId: "https://a/", redirectUri: "https://a/cb", state: "a+b=", challenge: null, challengeMethod: null,
  });
  assert.equal(readRequest("?code_challenge=abc&code_challenge_method=S256").challenge, "abc");
  assert.equal(readRequest("?code_challenge=abc&code_challenge_method=S256").challengeMethod, "S256");
  assert.equal(readRequest("").clientId, "");
});

test("spec: login-page.md, P-4 to P-7: whom the person lets in", async (t) => {
  const rows = [
    ["own pages", "https://home.example:8123/", "https://home.example:8123/?auth_callback=1", { kind: "own" }],
    ["another port is another", "https://home.example/", "https://home.example/", { kind: "client", client: "https://home.example/", destination: "" }],
    ["an app's scheme with our host is not ours", "https://x.example/", "evil://home.example:8123/",
      { kind: "client", client: "https://x.example/", destination: "evil://home.example:8123" }],
    ["iOS", "https://home-assistant.io/iOS", "homeassistant://auth-callback", { kind: "app", app: "iOS", destination: "" }],
    ["Android on a watch", "https://home-assistant.io/android", "https://wear.googleapis.com/x",
      { kind: "app", app: "Android", destination: "wear.googleapis.com" }],
    ["almost iOS", "https://home-assistant.io/ios", "https://home-assistant.io/cb",
      { kind: "client", client: "https://home-assistant.io/ios", destination: "" }],
    ["another host than the client's", "https://apps.example/", "https://other.example/cb",
      { kind: "client", client: "https://apps.example/", destination: "other.example" }],
    ["without a slash at its end", "https://apps.example", "https://apps.example/cb",
      { kind: "client", client: "https://apps.example", destination: "" }],
    ["look-alike letters", "https://\u0430pple.example/", "https://\u0430pple.example/cb",
      { kind: "client", client: "https://xn--pple-43d.example/", destination: "" }],
    ["not a URL", "\"><img src=x>", "https://a.example/", { kind: "client", client: "\"><img src=x>", destination: "a.example" }],
    ["a scheme without host", "https://a.example/", "app.example:cb", { kind: "client", client: "https://a.example/", destination: "app.example:" }],
  ];
  for (const [name, clientId, redirectUri, expected] of rows) {
    await t.test(name, () => assert.deepEqual(requester({ clientId, redirectUri }, page), expected));
  }
});

test("spec: login-page.md, P-25: staying signed in is offered to the own pages", () => {
  const base = new URL("https://home.example:8123/hub/");
  assert.equal(isOwnClient("https://home.example:8123/", page, base), true);
  assert.equal(isOwnClient("https://home.example:8123/hub/", page, base), true);
  assert.equal(isOwnClient("https://home.example:8123", page, base), false);
  assert.equal(isOwnClient("http://home.example:8123/", page, base), false);
  assert.equal(isOwnClient("https://apps.example/", page, base), false);
});

test("spec: login-page.md, P-13: both shapes of the provider list", () => {
  const local = { name: "Local", id: null, type: "homeassistant" };
  assert.deepEqual(providersOf([local]), { list: [local], remember: false });
  assert.deepEqual(providersOf({ providers: [local], preselect_remember_me: true }), { list: [local], remember: true });
  assert.deepEqual(providersOf({ providers: [], preselect_remember_me: false }), { list: [], remember: false });
  assert.deepEqual(providersOf({ providers: [null, {}, local] }).list, [local]);
  for (const nothing of [null, {}, "x", { providers: "x" }]) assert.equal(providersOf(nothing).list, null);
});

test("spec: security.md, 48: the binding is 32 random bytes in hex", () => {
  assert.match(randomHex(32), /^[0-9a-f]{64}$/);
  assert.notEqual(randomHex(32), randomHex(32));
});

test("spec: security.md, 32: the proof key's challenge is the hash of its verifier", async () => {
  const { verifier, challenge } = await proofKey();
  const { createHash } = await import("node:crypto");
  assert.match(verifier, /^[0-9a-f]{64}$/);
  assert.equal(challenge, createHash("sha256").update(verifier).digest("base64url"));
});

test("a refusal's reason is the server's text, in whichever form it comes", () => {
  assert.equal(reason({ body: { message: "Invalid client id" } }), "Invalid client id");
  assert.equal(reason({ body: { error: "invalid_request", error_description: "Invalid code" } }), "Invalid code");
  assert.equal(reason({ body: { error: "invalid_grant" } }), "invalid_grant");
  for (const body of [null, {}, [], { message: 5 }]) assert.equal(reason({ body }), "");
});
