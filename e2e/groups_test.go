package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// startFurnished runs a server that knows where the things in the house are, with the owner anna.
func startFurnished(t *testing.T) *program {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"core.entity_registry": `{"data": {"entities": [{"entity_id": "light.hall", "device_id": "lamp"}, {"entity_id": "switch.fan", "device_id": null}]}}`,
		"core.device_registry": `{"data": {"devices": [{"id": "lamp", "area_id": "hall"}]}}`,
		"latchkey.yaml":        "registries: .\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, "", "--config", filepath.Join(dir, "latchkey.yaml"))
	p.createOwner()
	return p
}

// says waits until a part of the page says this, white space aside.
func says(selector, text string) action {
	return holds(fmt.Sprintf(`document.querySelector(%q)?.innerText.replace(/\s+/g, " ").includes(%q)`, selector, text))
}

// Groups from the list to the end of one, on every window. What is typed is judged as it stands there, and nothing is saved
// until that is asked for.
func TestTheGroups(t *testing.T) {
	installClient(t)
	p := startFurnished(t)
	chromium := browser(t, 1280, 800, false)
	must(t, chromium)
	for i, window := range windows {
		person := fmt.Sprint("guest", i)
		p.run("some good words 1\n", "user", "add", person, "--name", "Ida B. Wells", "--group", "system-read-only", "--password-stdin")
		t.Run(window.name, func(t *testing.T) {
			ctx := watch(t, chromium, p)
			size(t, ctx, window.width, window.height, window.dark)
			v := visitor{t, ctx, p, "anna"}
			v.do(chromedp.Navigate(p.address+"/admin/groups"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Groups"))
			v.beginsGroup()
			v.isTold()
			v.foresees(person)
			v.savesGroup()
			v.deletesGroup()
		})
	}
}

func (v visitor) beginsGroup() {
	v.do(sees("There are none yet."))
	v.look("groups-none")
	v.do(press("Show"), heads("Administrators"), sees("This group is built in"))
	v.look("group-built-in")
	v.do(press("All groups"), heads("Groups"), press("Make a group"), heads("Make a group"), holds(`document.activeElement.name === "name"`))
	v.look("group-new")
	v.do(press("Lights and switches"), holds(`document.getElementById("policy").value.includes("switch")`))
}

// isTold sees what is wrong while it is typed.
func (v visitor) isTold() {
	v.do(typed("name", "Guests"), typed("policy", "{\n\"entities\": {\n\"labels\": true,\n\"all\": {\"write\": true}\n}"),
		says("#verdict", "Line 5 The text ends too early"), holds(`document.getElementById("policy").ariaInvalid === "true"`))
	v.look("policy-no-json")
	v.do(chromedp.SendKeys("#policy", "\n}"), says("#verdict", "Line 3 entities › labels"), says("#verdict", "Line 4 entities › all › write"))
	v.look("policy-wrong")
	// Whoever goes to a line finds it, and the keyboard leads out of the text again.
	v.do(press("Line 4"), holds(`document.activeElement.id === "policy" && document.getSelection().toString() === '"all": {"write": true}'`),
		chromedp.SendKeys("#policy", "\t"), holds(`document.activeElement.id !== "policy"`))
	v.do(press("Make a group"), sees("This policy cannot be used yet:"), holds(`document.activeElement.id === "policy" && document.readyState === "complete"`))
	v.do(typed("policy", `{"entities": {"domains": {"light": {"read": true}}}}`), says("#verdict", "This policy can be used."),
		holds(`document.getElementById("policy").ariaInvalid !== "true"`))
}

// foresees what somebody would be allowed.
func (v visitor) foresees(person string) {
	v.do(typed("who", "Ida"), typed("entity", "light.hall"))
	if person != "guest0" { // there are several by now
		v.do(says("#outlook", "More than one person may be meant"),
			holds(fmt.Sprintf(`[...document.querySelectorAll("#people option")].some((o) => o.value === %q)`, person)), typed("who", person))
	}
	v.do(says("#outlook", "What may Ida B. Wells do with light.hall?"), says("#outlook", "See it (read) Allowed There is a rule for the domain light. Granted by: Read only, this policy."),
		says("#outlook", "Operate it (control) Denied No rule allows it."), sees("is not in this group"))
	v.look("policy-preview")
	// It follows what is typed, without a click.
	v.do(typed("policy", `{"entities": {"area_ids": {"hall": {"control": true}}}}`),
		says("#outlook", "Operate it (control) Allowed There is a rule for its area, hall. Granted by: this policy."))
	v.do(typed("entity", "switch.fan\r"), says("#outlook", "Operate it (control) Denied"), heads("Make a group"))
	v.do(typed("who", "anna"), says("#outlook", "owns this server, and may do everything"))
	v.look("policy-preview-owner")
	// What cannot be asked is not taken for an answer.
	v.do(chromedp.Evaluate[chromedp.Void](`window.asks = window.fetch; window.fetch = () => Promise.reject(new Error("away"))`),
		typed("entity", "light.hall"), sees("This could not be checked just now."),
		chromedp.Evaluate[chromedp.Void](`window.fetch = window.asks`), typed("entity", "light.attic"),
		says("#outlook", "light.attic"), holds(`!document.body.innerText.includes("could not be checked")`))
}

func (v visitor) savesGroup() {
	v.do(typed("name", " "), press("Make a group"), sees("Please fill this in."), holds(`document.activeElement.name === "name" && document.readyState === "complete"`))
	v.look("group-no-name")
	v.do(typed("name", "Guests of the house"), press("Make a group"), heads("Groups"), sees("The group is made."), sees("Areas: hall"))
	v.look("groups")
	v.do(press("Edit"), heads("Guests of the house"), typed("policy", `{"entities": true}`), says("#verdict", "This policy can be used."),
		press("Save"), heads("Groups"), sees("The group is saved."), sees("Everything"))
}

func (v visitor) deletesGroup() {
	v.do(press("Delete"), heads("Delete Guests of the house?"))
	v.look("group-delete")
	v.do(press("Cancel"), heads("Groups"), press("Delete"), heads("Delete Guests of the house?"), press("Delete"),
		heads("Groups"), sees("The group is deleted."), sees("There are none yet."))
}

// The editor needs no script.
func TestTheEditorWithoutScripts(t *testing.T) {
	p := startFurnished(t)
	p.run("some good words 1\n", "user", "add", "ida", "--name", "Ida B. Wells", "--password-stdin")
	ctx := watch(t, browser(t, 390, 844, false), p)
	size(t, ctx, 390, 844, false)
	must(t, ctx, chromedp.Navigate(p.address+"/admin/groups/new"), chromedp.WaitVisible("#store-token"), signIn("anna", password), heads("Make a group"))
	must(t, ctx, withoutScripts, chromedp.Reload(), heads("Make a group"), holds(`!document.querySelector("button[value=check]").hidden`))
	must(t, ctx, typed("name", "Guests"), typed("policy", `{"entities": {"labels": true}}`), press("Check"), says("#verdict", "Line 1 entities › labels"))
	shot(t, ctx, "wrong")
	must(t, ctx, typed("policy", `{"entities": {"area_ids": {"hall": true}}}`), typed("who", "ida"), typed("entity", "light.hall"), press("Show"),
		says("#outlook", "What may Ida B. Wells do with light.hall?"), says("#outlook", "Everything is allowed. Granted by: Users, this policy."))
	shot(t, ctx, "preview")
	// Enter in a field asks, and does not save what is half written.
	must(t, ctx, typed("entity", "switch.fan\r"), says("#outlook", "What may Ida B. Wells do with switch.fan?"), heads("Make a group"))
	if list := p.run("", "group", "list"); strings.Contains(list, "Guests") {
		t.Errorf("it is saved already:\n%s", list)
	}
	must(t, ctx, press("Make a group"), heads("Groups"), sees("The group is made."), sees("Areas: hall"))
}
