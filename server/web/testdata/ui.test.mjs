// Words and checks of forms that need no document.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Words, chooseLanguage, direction, fill, problemsOf, withoutBlanks } from "../static/ui.js";

test("spec: login-page.md, §11: the language is the stored one, else the browser's, else English", async (t) => {
  const have = ["en", "de", "pt-BR", "ar"];
  const rows = [
    ["the stored choice", "de", ["ar"], "de"],
    ["a stored choice without catalogue", "fr", ["ar"], "ar"],
    ["nothing stored", null, ["de-CH", "en"], "de"],
    ["a region of its own", null, ["pt-br"], "pt-BR"],
    ["a region that is missing", null, ["pt-PT", "de"], "de"],
    ["nothing known", null, ["fr", "it"], "en"],
    ["no wishes", undefined, [], "en"],
    ["a stored value that is no text", 5, ["de"], "de"],
  ];
  for (const [name, stored, preferred, expected] of rows) {
    await t.test(name, () => assert.equal(chooseLanguage(stored, preferred, have), expected));
  }
});

test("spec: login-page.md, §11: languages that run from right to left say so", () => {
  assert.equal(direction("ar"), "rtl");
  assert.equal(direction("he-IL"), "rtl");
  assert.equal(direction("de"), "ltr");
});

test("spec: login-page.md, §11: a missing key falls back to English, then to itself", () => {
  const words = new Words([{ "p.a": "eins" }, { "p.a": "one", "p.b": "two", "q.c": "three" }], ["p.", "q."]);
  assert.equal(words.text("a"), "eins");
  assert.equal(words.text("b"), "two");
  assert.equal(words.text("c"), "three");
  assert.equal(words.text("d"), "d");
  assert.equal(words.text("d", undefined, ""), "");
  assert.equal(words.text("d", undefined, "raw"), "raw");
  assert.equal(new Words([{}], [""]).find("constructor"), null);
});

test("placeholders are filled with text, and the pieces that were filled in can be told apart", () => {
  assert.deepEqual(fill("You give {clientId} access.", { clientId: "<b>{x}</b>" }), [
    { text: "You give " }, { text: "<b>{x}</b>", name: "clientId" }, { text: " access." },
  ]);
  assert.deepEqual(fill("{a} and {b}", { a: 1 }), [{ text: "1", name: "a" }, { text: " and " }, { text: "{b}" }]);
  for (const nothing of [null, undefined, {}]) assert.deepEqual(fill("{toString}", nothing), [{ text: "{toString}" }]);
});

test("spec: login-page.md, P-19: a required field is not sent empty", () => {
  const fields = [{ name: "username", type: "string", required: true }, { name: "note", type: "string" }];
  assert.deepEqual(problemsOf(fields, {}), { username: "form.required" });
  assert.deepEqual(problemsOf(fields, { username: "" }), { username: "form.required" });
  assert.deepEqual(problemsOf(fields, { username: "anna" }), {});
});

test("spec: login-page.md, §5: number fields take numbers only", () => {
  const fields = [{ name: "i", type: "integer" }, { name: "f", type: "float", required: true }, { name: "b", type: "boolean", required: true }];
  assert.deepEqual(problemsOf(fields, { i: 3, f: 0, b: false }), {});
  assert.deepEqual(problemsOf(fields, { i: 1.5, f: NaN, b: true }), { i: "form.not_a_number", f: "form.not_a_number" });
});

test("spec: login-page.md, §9: blanks go out of a code, leading zeros stay", () => {
  assert.equal(withoutBlanks(" 012\u00a0345 "), "012345");
});
