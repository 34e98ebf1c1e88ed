// Words and forms, the same on every page. The first half needs no document and runs outside of a browser as well.

const rightToLeft = new Set(["ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"]);

// chooseLanguage takes the stored choice if there is a catalogue for it, else the first of the browser's languages that
// has one (its general form will do), else English (login-page.md §11).
export function chooseLanguage(stored, preferred, available) {
  for (const wish of [stored, ...preferred]) {
    if (typeof wish !== "string") continue;
    const tags = [wish, wish.split("-")[0]].map((tag) => tag.toLowerCase());
    const found = tags.map((tag) => available.find((have) => have.toLowerCase() === tag)).find(Boolean);
    if (found) return found;
  }
  return "en";
}

export const direction = (language) => (rightToLeft.has(language.split("-")[0]) ? "rtl" : "ltr");

// Words finds texts by key: in the page's own section of the catalogue, then in the others named, in the chosen language
// and then in English.
export class Words {
  #tables;
  #sections;

  constructor(tables, sections) {
    this.#tables = tables;
    this.#sections = sections;
  }

  find(key) {
    for (const table of this.#tables) {
      for (const section of this.#sections) {
        if (Object.hasOwn(table, section + key)) return table[section + key];
      }
    }
    return null;
  }

  // text is the text of the key with its placeholders filled in. A key that nobody translated stands for itself, unless
  // something better is given.
  text(key, values, otherwise = key) {
    return this.parts(key, values, otherwise).map((part) => part.text).join("");
  }

  // parts is the same in pieces, so that a page can set off what was filled in: {text} or {text, name}.
  parts(key, values, otherwise = key) {
    return fill(this.find(key) ?? otherwise, values);
  }
}

// fill puts values into the {placeholders} of a text. What it has no value for stays as it is.
export function fill(text, values) {
  return text.split(/(\{\w+\})/).filter(Boolean).map((piece) => {
    const name = /^\{(\w+)\}$/.exec(piece)?.[1];
    const value = name && values && Object.hasOwn(values, name) ? values[name] : null;
    return value === null || value === undefined ? { text: piece } : { text: String(value), name };
  });
}

// problemsOf checks values against the fields of a form before they are sent (P-19): {field: key of a text}.
export function problemsOf(fields, values) {
  const problems = {};
  for (const { name, type, required } of fields) {
    const value = values[name];
    if (Number.isNaN(value) || (type === "integer" && value !== undefined && !Number.isInteger(value))) {
      problems[name] = "form.not_a_number";
    } else if (required && (value === undefined || value === "")) {
      problems[name] = "form.required";
    }
  }
  return problems;
}

// withoutBlanks takes what people put into a one-time code for readability out again (login-page.md §9).
export const withoutBlanks = (code) => code.replaceAll(/\s/gu, "");

// speak loads the words of the page, in the stored language or the one in which the server sent the page, and puts them
// into what the page already shows. Whenever another language is chosen it calls again, or else loads the page anew.
export async function speak(again = null) {
  const page = document.documentElement;
  const available = page.dataset.languages.split(" ");
  const { language, table } = await catalogue(chooseLanguage(storedLanguage(), [page.lang], available));
  const words = new Words([table], page.dataset.sections.split(" ").map((section) => `ui.panel.page-${section}.`));
  if (language !== page.lang) {
    if (storeLanguage(language) && !again) return reload();
    page.lang = language;
    page.dir = direction(language);
    for (const node of document.querySelectorAll("[data-text]")) node.textContent = words.text(node.dataset.text);
  }
  offerLanguages(available, language, words, async () => (again ? again(await speak(again)) : reload()));
  return words;
}

// reload gets the page again; nothing is worth doing on this one any more.
function reload() {
  location.reload();
  return new Promise(() => {});
}

function storedLanguage() {
  try {
    return JSON.parse(localStorage.getItem("selectedLanguage"));
  } catch {
    return null; // unreadable, or storage is switched off
  }
}

// storeLanguage keeps a choice where this page finds it again, and where the server does; it says whether that will.
export function storeLanguage(language) {
  const path = new URL("../", import.meta.url).pathname;
  document.cookie = `latchkey_language=${language}; Path=${path}; Max-Age=31536000; SameSite=Lax`;
  try {
    localStorage.setItem("selectedLanguage", JSON.stringify(language));
  } catch {
    // Without storage the cookie alone decides.
  }
  return document.cookie.includes(`latchkey_language=${language}`);
}

// catalogue has every text: what a language lacks, the server filled in from English (login-page.md §11). The page brings
// those of the language that it came in, in which it stays where others cannot be had.
async function catalogue(language) {
  const brought = document.getElementById("words");
  brought.lang ||= document.documentElement.lang;
  try {
    if (language !== brought.lang) {
      const answer = await fetch(new URL(`i18n/${language}.json`, import.meta.url), { credentials: "same-origin", signal: AbortSignal.timeout(10_000) });
      if (answer.ok) return { language, table: await answer.json() };
    }
  } catch {
    // There is no answer, or none that can be read.
  }
  return { language: brought.lang, table: JSON.parse(brought.textContent) };
}

// offerLanguages fills the language picker; with a single language there is nothing to pick.
function offerLanguages(available, current, words, changed) {
  const place = document.getElementById("languages");
  if (!place || available.length < 2) return;
  const options = available.map((code) => {
    const name = new Intl.DisplayNames([code], { type: "language" }).of(code);
    const written = name.charAt(0).toLocaleUpperCase(code) + name.slice(1); // as on the pages that the server makes
    return element("option", { value: code, lang: code, selected: code === current }, written);
  });
  const choose = element("select", { id: "language" }, ...options);
  choose.addEventListener("change", () => {
    storeLanguage(choose.value);
    changed();
  });
  const hadFocus = document.activeElement?.id === "language";
  place.replaceChildren(element("label", { for: "language", class: "visually-hidden" }, words.text("language")), choose);
  if (hadFocus) choose.focus();
}

// element makes an element. Attributes that are false, null or undefined are left out; children are nodes or text.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// bold sets off what was filled into a text, whatever the direction that it is written in.
export const bold = (parts) => parts.map(({ text, name }) => (name ? element("strong", {}, element("bdi", {}, text)) : text));

// note is a box with a message: kind is "info", "warning" or "error".
export const note = (kind, ...children) => element("div", { class: `note note-${kind}` }, ...children);

// button is a plain button that does something.
export function button(kind, text, action) {
  const node = element("button", { type: "button", class: `button ${kind}` }, text);
  node.addEventListener("click", action);
  return node;
}

// Form shows the fields that the server (or the page) wants. A field is an entry of a data_schema, which a page may extend
// by autocomplete, hint and focus. Labels and messages are given as functions of the field, so that the form
// knows no key of its own but those of its buttons.
//
// A form that asks for nothing but one choice needs no second click: each option is a button that sends it.
export class Form {
  #fields;
  #words;
  #controls = new Map(); // by field name: {input, read}
  node;

  constructor({ fields, values = {}, label, words, submit, onSubmit, extra = [], id = "field" }) {
    this.#fields = fields;
    this.#words = words;
    const oneClick = fields.length === 1 && fields[0].type === "select" && fields[0].options?.length > 0;
    this.button = element("button", { type: "submit", class: "button primary", hidden: oneClick }, submit);
    const kind = oneClick ? "choice" : null;
    const rows = fields.map((field, i) => this.#row({ ...field, label: label(field) }, `${id}-${i}`, values[field.name], kind));
    this.node = element("form", { novalidate: true, class: "form" }, ...(oneClick ? [...extra, ...rows] : [...rows, ...extra]), this.button);
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.button.disabled) onSubmit(this);
    });
  }

  // values are what was put in. Fields left empty are left out.
  values() {
    const values = {};
    for (const [name, { read }] of this.#controls) {
      const value = read();
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  // check marks the fields that cannot be sent yet and says whether there are none. It moves to the first unless told not to.
  check(move = true) {
    const problems = problemsOf(this.#fields, this.values());
    return this.show(Object.fromEntries(Object.entries(problems).map(([name, key]) => [name, this.#words.text(key)])), move);
  }

  // show puts messages at their fields, takes away all others, and moves to the first unless told not to; it says whether
  // there are none.
  show(messages, move = true) {
    let first = null;
    for (const [name, { input, message }] of this.#controls) {
      const text = Object.hasOwn(messages, name) ? messages[name] : "";
      message.textContent = text;
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      if (text) first ??= input;
    }
    if (move) first?.focus();
    return first === null;
  }

  // wait shows that an answer is awaited; nothing can be sent meanwhile.
  wait(waiting, text) {
    this.button.disabled = waiting;
    this.button.textContent = text;
    for (const { wait } of this.#controls.values()) wait?.(waiting);
    this.node.setAttribute("aria-busy", String(waiting));
    if (waiting) for (const { hide } of this.#controls.values()) hide?.();
  }

  // focus moves to the field of that name, or to the first one that is not filled in.
  focus(name) {
    const all = [...this.#controls.values()];
    const wanted = this.#controls.get(name) ?? all.find(({ read }) => !read()) ?? all[0];
    if (!wanted) this.button.focus();
    wanted?.input.focus();
    wanted?.input.select?.();
  }

  has(name) {
    return this.#controls.has(name);
  }

  #row(field, id, value, kind) {
    const control = kind === "choice" ? choices(field, id, () => this.node.requestSubmit()) : this.#control(field, id, value ?? field.default);
    const message = element("p", { id: `${id}-error`, class: "field-error" });
    const hint = field.hint ? element("p", { id: `${id}-hint`, class: "hint" }, field.hint) : null;
    control.described ??= control.input;
    control.described.setAttribute("aria-describedby", hint ? `${id}-error ${id}-hint` : `${id}-error`);
    this.#controls.set(field.name, { ...control, message });
    if (control.labelled) return element("div", { class: "field" }, control.node, message, hint);
    return element("div", { class: "field" }, element("label", { for: id }, field.label), control.node, message, hint);
  }

  #control(field, id, value) {
    switch (field.type) {
      case "boolean":
        return checkBox(field, id, value);
      case "select":
        return field.options?.length > 6 ? dropDown(field, id, value) : radios(field, id, value);
      case "integer":
      case "float":
        return number(field, id, value);
      default:
        return field.secret || field.name.includes("password") ? password(field, id, value, this.#words) : textBox(field, id, value);
    }
  }
}

// Names of fields that browsers and password managers know how to fill (P-20).
const autocomplete = { username: "username", password: "current-password", code: "one-time-code" };

function textBox(field, id, value, more = {}) {
  const input = element("input", {
    id,
    name: field.name,
    type: "text",
    value: value ?? "",
    autocomplete: field.autocomplete ?? autocomplete[field.name] ?? "off",
    autofocus: field.name === "username" || field.name === "code",
    autocapitalize: field.capitalize ?? "none",
    autocorrect: "off",
    spellcheck: "false",
    "aria-required": field.required ? "true" : null,
    class: field.name === "code" ? "code" : null,
    ...more,
  });
  return { node: input, input, read: () => input.value || undefined };
}

function password(field, id, value, words) {
  const control = textBox(field, id, value, { type: "password" });
  const eye = element("button", { type: "button", class: "reveal", "aria-controls": id });
  eye.append(document.getElementById("eyes").content.cloneNode(true));
  const reveal = (shown) => {
    control.input.type = shown ? "text" : "password";
    eye.classList.toggle("shown", shown);
    const name = shown ? words.text("hide_password") : words.text("show_password");
    eye.setAttribute("aria-label", name);
    eye.title = name;
  };
  eye.addEventListener("click", () => reveal(control.input.type === "password"));
  reveal(false);
  const node = element("div", { class: "secret" }, control.input, eye);
  return { ...control, node, hide: () => reveal(false) };
}

function number(field, id, value) {
  const whole = field.type === "integer";
  const { node, input } = textBox(field, id, value, {
    type: "number",
    step: whole ? "1" : "any",
    min: field.valueMin,
    max: field.valueMax,
    inputmode: whole ? "numeric" : "decimal",
  });
  const read = () => {
    if (input.validity.badInput) return NaN;
    return input.value === "" ? undefined : Number(input.value);
  };
  return { node, input, read };
}

function checkBox(field, id, value) {
  const input = element("input", { id, name: field.name, type: "checkbox", checked: value === true });
  const node = element("label", { class: "check", for: id }, input, element("span", {}, field.label));
  return { node, input, labelled: true, read: () => input.checked };
}

// optionsOf reads the [value, label] pairs of a select; a user without a name has no label.
const optionsOf = (field) => (field.options ?? []).map(([value, label]) => ({ value: String(value), label: label ?? String(value) }));

// selectedOf is what a select shows first: what was given, else the first option if one must be chosen (P-19).
const selectedOf = (field, options, value) => value ?? (field.required ? options[0]?.value : undefined);

function radios(field, id, value) {
  const options = optionsOf(field);
  const selected = selectedOf(field, options, value);
  const inputs = options.map((option, i) => element("input", {
    id: i ? `${id}-${i}` : id, type: "radio", name: field.name, value: option.value, checked: option.value === selected,
  }));
  const labels = inputs.map((input, i) => element("label", { class: "check choice", for: input.id }, input, element("span", {}, options[i].label)));
  const node = element("fieldset", {}, element("legend", {}, field.label), ...labels);
  const input = inputs.find((one) => one.checked) ?? inputs[0] ?? node;
  return { node, input, described: node, labelled: true, read: () => inputs.find((one) => one.checked)?.value };
}

// choices are buttons, one for each option of a select.
function choices(field, id, submit) {
  let chosen;
  const buttons = optionsOf(field).map((option, i) => {
    const one = button("quiet", option.label, () => {
      chosen = option.value;
      submit();
    });
    one.id = i ? `${id}-${i}` : id;
    one.value = option.value;
    return one;
  });
  const node = element("fieldset", { class: "choices" }, element("legend", {}, field.label), ...buttons);
  const wait = (waiting) => {
    for (const one of buttons) one.disabled = waiting;
  };
  return { node, input: buttons[0], described: node, labelled: true, read: () => chosen, wait };
}

function dropDown(field, id, value) {
  const options = optionsOf(field);
  const selected = selectedOf(field, options, value);
  const nodes = options.map((option) => element("option", { value: option.value, selected: option.value === selected }, option.label));
  if (selected === undefined) nodes.unshift(element("option", { value: "", selected: true }));
  const input = element("select", { id, name: field.name }, ...nodes);
  return { node: input, input, read: () => input.value || undefined };
}
