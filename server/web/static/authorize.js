// The sign-in page (login-page.md). It shows one thing at a time: waiting, a form, a failure, or a question.
import { Login, call, isAppLink, isOwnClient, providersOf, readRequest, reason, redirectAllowed, redirectTarget, requester, root } from "./oauth.js";
import { Form, bold, button, element, note, speak, withoutBlanks } from "./ui.js";

// A flow's clock starts when the page loads, and five minutes later the second factor is refused. So a flow that has waited
// this long for the first step is replaced by a fresh one when the step is sent (login-page.md §9).
const staleAfter = 120_000; // milliseconds
const appLinkAfter = 1000; // milliseconds until an app that did not open is offered as a link (P-31)

const place = (id) => document.getElementById(id);
const request = readRequest(location.search);

let words = null;
let login = null;
let providers = []; // the first is the current one (P-11)
let storeToken = false; // survives the steps of a second factor (P-27)
let step = null; // the step on show: {id, schema, first, started, form, complain}
let busy = false; // an answer of the login flow is awaited
let redraw = () => {}; // shows the current thing again, in another language
let asked = null; // whom the person lets in

async function main() {
  words = await speak((changed) => {
    words = changed;
    showRequester();
    showOthers();
    redraw();
  });
  if (!request.clientId && !request.redirectUri) return showLost();
  if (!redirectAllowed(request.redirectUri)) {
    return showFailure(() => words.text("invalid_redirect", { address: request.redirectUri }), null);
  }
  if (!request.clientId) return showFailure(() => words.text("form.unknown_error"), null);
  asked = requester(request, location);
  showRequester();
  login = new Login(request);
  await begin();
}

// begin asks who can check people, and starts with the first of them.
async function begin() {
  showWaiting("initializing");
  let answer;
  try {
    answer = await call("GET", "auth/providers");
  } catch {
    return showFailure(() => words.text("providers_failed"), begin);
  }
  if (answer.status === 400 && answer.body?.code === "onboarding_required") {
    return location.replace(new URL(`onboarding.html${location.search}`, root));
  }
  const { list, remember } = providersOf(answer.body);
  if (!answer.ok || list === null) return showFailure(() => words.text("providers_failed"), begin);
  if (list.length === 0) return showFailure(() => words.text("providers_none"), begin);
  providers = list;
  storeToken = remember;
  await startOver();
}

// startOver begins a new flow with the current provider.
async function startOver() {
  login.drop();
  step = null;
  showOthers();
  showWaiting("form.working");
  await hear(() => login.start(providers[0]));
}

// pick makes another provider the current one; the two change places (P-11, P-12).
async function pick(index) {
  [providers[0], providers[index]] = [providers[index], providers[0]];
  await startOver();
}

// hear awaits an answer of the login flow and shows what it says.
async function hear(ask) {
  wait(true);
  const answer = await ask().catch(() => null); // there is none, or none in good time
  wait(false);
  if (!answer || answer.status >= 500) return showUnanswered();
  if (!answer.ok) return showRefusal(answer);
  switch (answer.body?.type) {
    case "form":
      return showStep(answer.body);
    case "create_entry":
      return finish(answer.body);
    case "abort":
      return showAbort(answer.body);
    case "external":
      return showExternal(answer.body);
    default:
      return showFailure(() => words.text("form.unknown_error"), startOver);
  }
}

// send answers the step on show. The server may have forgotten a flow whose first step waited long; a new one is begun
// then without a word, and gets the same values.
async function send(form) {
  place("alert").replaceChildren();
  step.complain = (move) => step.form.check(move);
  if (!form.check()) return;
  const values = form.values();
  if (typeof values.code === "string") values.code = withoutBlanks(values.code);
  await hear(async () => {
    if (!step.first) return login.answer(values);
    const stale = Date.now() - step.started > staleAfter;
    const answer = stale ? null : await login.answer(values);
    if (answer && answer.status !== 404) return answer;
    login.drop();
    const fresh = await login.start(providers[0]);
    if (!fresh.ok || fresh.body?.type !== "form" || schemaOf(fresh.body) !== step.schema) {
      step = null;
      return fresh;
    }
    step.started = Date.now();
    step.id = fresh.body.flow_id;
    return login.answer(values);
  });
}

const schemaOf = (body) => JSON.stringify([body.step_id, body.data_schema]);

// showStep shows a form. The same step again keeps its fields as they are, with what was typed into them (P-21).
function showStep(body) {
  const schema = schemaOf(body);
  const again = step?.id === body.flow_id && step.schema === schema;
  if (!again) {
    step = { id: body.flow_id, schema, first: step === null, started: Date.now(), form: null };
  }
  step.complain = (move) => showErrors(body, move);
  redraw = () => {
    place("status").textContent = "";
    drawStep(body, step.form.values());
    wait(busy);
    if (!busy) step.complain(false);
  };
  place("status").textContent = "";
  if (!again) {
    drawStep(body, {});
    focusSoon(step.form);
  }
  showOthers();
  step.complain(true);
}

// showUnanswered says that the server does not answer (P-16). A form that was filled in stays, and can be sent again.
function showUnanswered() {
  const text = () => `${words.text("form.unknown_error")}. ${words.text("unreachable")}`;
  if (!step) return showFailure(text, startOver);
  step.complain = (move) => {
    place("alert").replaceChildren(note("error", text()));
    if (move) step.form.button.focus();
  };
  step.complain(true);
}

const isSecondFactor = (stepId) => stepId === "mfa" || stepId === "select_mfa_module";

// about finds a text of the current provider, or else the one that most providers share.
function about(key, values, otherwise) {
  const shared = words.find(`form.providers.homeassistant.${key}`) ?? otherwise;
  return words.text(`form.providers.${providers[0].type}.${key}`, values, shared);
}

// named is what something is called in the person's language that has the name of its kind, and not one of its own.
const named = (name) => words.find(`named.${name}`) ?? name;

// withNames puts the names of second factors into the person's language.
function withNames(field) {
  if (field.name !== "multi_factor_auth_module" || !Array.isArray(field.options)) return field;
  return { ...field, options: field.options.map(([id, name]) => [id, named(name)]) };
}

function factsOf({ description_placeholders: facts }) {
  return facts?.mfa_module_name ? { ...facts, mfa_module_name: named(facts.mfa_module_name) } : facts;
}

function drawStep(body, values) {
  const fields = (Array.isArray(body.data_schema) ? body.data_schema : []).map(withNames);
  const second = isSecondFactor(body.step_id);
  head(second ? "just_checking" : "welcome_home");
  step.form = new Form({
    fields,
    values,
    words,
    label: ({ name }) => about(`step.${body.step_id}.data.${name}`, undefined, name),
    submit: words.text("form.next"),
    onSubmit: send,
    extra: isOwnClient(request.clientId, location) && !second ? [rememberBox()] : [],
  });
  const description = about(`step.${body.step_id}.description`, factsOf(body), "");
  const parts = [description && element("p", { class: "lead" }, description), step.form.node];
  if (body.step_id === "mfa") parts.push(element("p", { class: "hint" }, words.text("recovery_hint")));
  if (fields.some(({ name }) => name.includes("password"))) {
    parts.push(element("details", { class: "help" },
      element("summary", {}, words.text("forgot_password")),
      element("p", {}, words.text("forgot_password_text"))));
  }
  place("step").replaceChildren(...parts.filter(Boolean));
}

function rememberBox() {
  const box = element("input", { type: "checkbox", id: "store-token", checked: storeToken });
  box.addEventListener("change", () => {
    storeToken = box.checked;
  });
  return element("label", { class: "check", for: "store-token" }, box, element("span", {}, words.text("store_token")));
}

// showErrors says what was wrong with the last try and moves to where it can be mended (P-22, P-24).
function showErrors({ errors, description_placeholders: facts }, move) {
  const say = (key) => about(`error.${key}`, facts ?? undefined, String(key));
  const { base, ...fields } = errors ?? {};
  place("alert").replaceChildren(...(base ? [note("error", say(base))] : []));
  const clean = step.form.show(Object.fromEntries(Object.entries(fields).map(([name, key]) => [name, say(key)])), move);
  if (move && base && clean) step.form.focus(["password", "code"].find((name) => step.form.has(name)));
}

// focusSoon moves into a step that has just appeared, unless the person was faster (P-24).
function focusSoon(form) {
  setTimeout(() => {
    if (form.node.isConnected && !form.node.contains(document.activeElement)) form.focus();
  }, 100);
}

// wait makes it impossible to send anything twice (login-page.md §6).
function wait(waiting) {
  busy = waiting;
  step?.form.wait(busy, busy ? words.text("form.working") : words.text("form.next"));
  for (const other of place("others").querySelectorAll("button")) other.disabled = busy;
}

// finish takes the code to the client. Somebody who was let in without having been asked for anything is asked first,
// unless it is our own client (login-page.md §2).
function finish({ result, iss: issuer }) {
  if (typeof result !== "string") return showFailure(() => words.text("form.unknown_error"), startOver);
  const keep = storeToken && isOwnClient(request.clientId, location);
  const target = redirectTarget(request.redirectUri, { code: result, state: request.state, storeToken: keep, issuer });
  if (step === null && asked.kind !== "own") {
    return show("welcome_home", () => [button("primary", words.text("form.next"), () => leave(target))]);
  }
  leave(target);
}

function leave(target) {
  step = null;
  showWaiting("form.working");
  place("others").replaceChildren();
  location.assign(target);
  if (!isAppLink(target)) return;
  setTimeout(() => show("app_opening", () => [
    element("p", { class: "lead" }, words.text("app_opening_text")),
    element("a", { class: "button primary", href: target }, words.text("open_app")),
  ]), appLinkAfter);
}

function showAbort({ reason: key, description_placeholders: values }) {
  showFailure(() => `${words.text("abort_intro")}: ${about(`abort.${key}`, values, String(key))}`, startOver);
}

// showRefusal shows what the server has to say about a request that it refused.
function showRefusal(answer) {
  const said = reason(answer);
  showFailure(() => {
    const text = said ? words.text("form.error", { error: said }) : words.text("form.unknown_error");
    return answer.status === 404 ? `${text}. ${words.text("form.expired")}` : text;
  }, startOver);
}

function showExternal({ url }) {
  if (typeof url !== "string" || !redirectAllowed(url) || isAppLink(url)) {
    return showFailure(() => words.text("form.unknown_error"), startOver);
  }
  show("welcome_home", () => [element("a", { class: "button primary", href: url }, words.text("form.continue"))]);
}

function showLost() {
  show("lost", () => {
    place("alert").replaceChildren(note("info", words.text("lost_text")));
    return [element("a", { class: "button primary", href: root.href }, words.text("go_home"))];
  });
}

// showFailure shows an error in words and, when trying again can help, a button that does.
function showFailure(text, again) {
  step = null;
  const draw = () => {
    head("failed");
    place("status").textContent = "";
    place("alert").replaceChildren(note("error", text()));
    const retry = again && button("primary", words.text("form.start_over"), () => {
      place("alert").replaceChildren();
      again();
    });
    place("step").replaceChildren(...(retry ? [retry] : []));
    if (retry) retry.focus();
    else place("title").focus();
  };
  redraw = draw;
  showOthers();
  draw();
}

// show puts something in the place of the form, and the focus on the first thing to do there.
function show(title, parts) {
  redraw = () => {
    head(title);
    place("status").textContent = "";
    place("alert").replaceChildren();
    place("step").replaceChildren(...parts());
    place("step").querySelector("a, button")?.focus();
  };
  redraw();
}

function showWaiting(key) {
  redraw = () => {
    place("status").textContent = words.text(key);
  };
  place("alert").replaceChildren();
  place("step").replaceChildren();
  redraw();
}

function head(key) {
  const text = words.text(key);
  place("title").textContent = text;
  document.title = `${text} · latchkey`;
}

// showRequester says whom the person lets in; about our own pages there is nothing to say.
function showRequester() {
  const { kind, app, client, destination } = asked ?? { kind: "own" };
  if (kind === "own") return place("requester").replaceChildren();
  const box = kind === "app"
    ? note("info", element("p", {}, ...bold(words.parts("authorizing_app", { app }))))
    : note("warning", element("p", {}, ...bold(words.parts("authorizing_client", { clientId: client }))));
  if (destination) box.append(element("p", {}, ...bold(words.parts("authorizing_destination", { host: destination }))));
  place("requester").replaceChildren(box);
}

// showOthers lists the providers that are not in use.
function showOthers() {
  const others = providers.slice(1).map(({ name, type }, i) => {
    const other = button("quiet", named(name ?? type), () => pick(i + 1));
    other.disabled = busy;
    return element("li", {}, other);
  });
  place("others").replaceChildren(...(others.length === 0 ? [] : [
    element("h2", {}, words.text("pick_auth_provider")),
    element("ul", {}, ...others),
  ]));
}

// Coming back with the browser's back button shows the page as it was left: waiting for an answer that never comes.
addEventListener("pageshow", (event) => {
  if (event.persisted && !busy && providers.length > 0) startOver();
});

main();
