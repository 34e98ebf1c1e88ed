// The page that creates the first account (onboarding.md §3.3 and §4).
import { call, reason, root } from "./oauth.js";
import { begin, callbackAddress, continuesElsewhere } from "./session.js";
import { Form, button, element, note, speak } from "./ui.js";

const place = (id) => document.getElementById(id);
const minPasswordLength = 8; // characters (security.md 1)

let words = null;
let form = null;
let codeNeeded = document.documentElement.dataset.setupCode === "required";
let redraw = () => {};
let complain = () => {}; // says again what was wrong with the last try, in another language

async function main() {
  words = await speak((changed) => {
    words = changed;
    redraw();
  });
  let status;
  try {
    status = await call("GET", "api/onboarding");
  } catch {
    return showFailure("unreachable");
  }
  const step = Array.isArray(status.body) ? status.body.find((one) => one?.step === "user") : undefined;
  if (status.status === 404 || step?.done === true) return location.replace(signInAddress());
  if (!status.ok || !step) return showFailure("unreachable", reason(status));
  showForm();
}

// signInAddress is where people with an account go: to the sign-in that brought them here, or home.
function signInAddress() {
  return continuesElsewhere(location.search) ? new URL(`auth/authorize${location.search}`, root) : root;
}

function fieldsOfForm() {
  const fields = [
    { type: "string", name: "name", required: true, autocomplete: "name", capitalize: "words" },
    { type: "string", name: "username", required: true, autocomplete: "username", hint: words.text("hint_username") },
    { type: "string", name: "password", required: true, autocomplete: "new-password", hint: words.text("hint_password") },
    { type: "string", name: "confirm_password", required: true, autocomplete: "new-password" },
  ];
  if (codeNeeded) fields.unshift({ type: "string", name: "setup_code", required: true, hint: words.text("hint_setup_code") });
  return fields;
}

// labels are written out, so that every key of the catalogue stands somewhere in the source.
const labels = {
  name: () => words.text("field_name"),
  username: () => words.text("field_username"),
  password: () => words.text("field_password"),
  confirm_password: () => words.text("field_confirm_password"),
  setup_code: () => words.text("field_setup_code"),
};

function showForm(values = {}) {
  const draw = (kept) => {
    form = new Form({
      fields: fieldsOfForm(),
      values: kept,
      words,
      label: ({ name }) => labels[name](),
      submit: words.text("create"),
      onSubmit: create,
    });
    place("status").textContent = "";
    place("lead").hidden = false;
    place("step").replaceChildren(form.node);
  };
  redraw = () => {
    draw(form.values());
    complain();
  };
  draw(values);
  form.focus();
}

// problem is what can be told about the passwords without asking the server: {field: message}, or null.
function problem({ password, confirm_password: again }) {
  if ([...password].length < minPasswordLength) return { password: words.text("password_short") };
  return password === again ? null : { confirm_password: words.text("password_differs") };
}

async function create() {
  place("alert").replaceChildren();
  complain = () => {};
  if (!form.check()) return;
  const values = form.values();
  const wrong = problem(values);
  if (wrong) {
    complain = () => form.show(problem(values), false);
    return form.show(wrong);
  }
  form.wait(true, words.text("form.working"));
  const body = {
    client_id: root.href,
    name: values.name,
    username: values.username,
    password: values.password,
    language: document.documentElement.lang,
  };
  if (values.setup_code !== undefined) body.setup_code = values.setup_code.trim();
  let answer;
  try {
    answer = await call("POST", "api/onboarding/users", body);
  } catch {
    answer = null;
  }
  form.wait(false, words.text("create"));
  if (answer?.ok && typeof answer.body?.auth_code === "string") return enter(answer.body.auth_code);
  explain(answer, values);
}

// enter goes on with the app that was on its way to signing in, or signs in here with the code.
async function enter(code) {
  if (continuesElsewhere(location.search)) return location.replace(signInAddress());
  const { state } = await begin({ withProof: false });
  location.replace(callbackAddress(root, { code, state }));
}

// explain says why no account was made: in our own words where there are some for it, else in the server's, which are meant
// for people as well.
function explain(answer, values) {
  const code = answer?.body?.code;
  const said = () => words.find(`error.${code}`) ?? (answer ? reason(answer) : "");
  if (answer?.status === 403 && said() === "User step already done") return showDone();
  if (["setup_code_required", "setup_code_invalid"].includes(code)) {
    codeNeeded = true;
    showForm(values);
    const wrong = () => ({ setup_code: said() || words.text("setup_code_wrong") });
    complain = () => form.show(wrong(), false);
    form.show(wrong());
    return;
  }
  complain = () => showMessage(said() || words.text("unreachable"));
  complain();
  form.focus(/password/i.test(code ?? said()) ? "password" : "username");
}

function showMessage(text) {
  place("alert").replaceChildren(note("error", text));
}

// showDone is for those who come too late: somebody has made the account.
function showDone() {
  redraw = () => {
    place("status").textContent = "";
    place("lead").hidden = true;
    place("alert").replaceChildren(note("info", words.text("already_done")));
    const link = element("a", { class: "button primary", href: signInAddress() }, words.text("go_sign_in"));
    place("step").replaceChildren(link);
    link.focus();
  };
  redraw();
}

function showFailure(key, said = "") {
  redraw = () => {
    place("status").textContent = "";
    showMessage(said || words.text(key));
    const again = button("primary", words.text("try_again"), () => location.reload());
    place("step").replaceChildren(again);
    again.focus();
  };
  redraw();
}

main();
