package server_test

import (
	"testing"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server"
)

const localEntry = `{"name":"Home Assistant Local","id":null,"type":"homeassistant"}`

// spec: http-auth.md, "P-1"
func TestProvidersAskForOnboardingFirst(t *testing.T) {
	w := newWire(t, setup{})
	w.from.Store(&latchkey.Origin{}) // P-1 is checked before P-2
	w.get("/auth/providers").is(t, 400, `{"message":"Onboarding not finished","code":"onboarding_required"}`)
	w.person("anna", nil)
	w.comeFrom("127.0.0.1")
	w.get("/auth/providers").is(t, 200, `{"providers":[`+localEntry+`],"preselect_remember_me":true}`)
}

// spec: http-auth.md, "P-2", "P-4"
func TestProvidersDependOnTheAddress(t *testing.T) {
	w := newHouse(t, setup{})
	w.comeFrom("203.0.113.7")
	w.get("/auth/providers").is(t, 200, `{"providers":[`+localEntry+`],"preselect_remember_me":false}`)
	w.comeFrom("fd00::7")
	w.get("/auth/providers").is(t, 200, `{"providers":[`+localEntry+`],"preselect_remember_me":true}`)
	o := *w.from.Load()
	o.Tunnel = true
	w.from.Store(&o)
	w.get("/auth/providers").is(t, 200, `{"providers":[`+localEntry+`],"preselect_remember_me":false}`)
	w.from.Store(&latchkey.Origin{})
	w.get("/auth/providers").is(t, 400, `{"message":"Invalid remote IP","code":"invalid_remote_ip"}`)
}

// spec: http-auth.md, "P-3", "P-6": an object with the list, in the order in which the providers are configured, and an empty
// one as well
func TestProvidersAreAListOfAnySize(t *testing.T) {
	p := &porter{}
	w := newHouse(t, setup{})
	var err error
	if w.Manager, err = latchkey.New(w.store, latchkey.Options{Providers: []latchkey.Provider{p, w.local}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.serve(setup{})
	w.get("/auth/providers").is(t, 200, `{"providers":[{"name":"Porter","id":"1","type":"porter"},`+localEntry+`],"preselect_remember_me":true}`)

	if w.Manager, err = latchkey.New(w.store, latchkey.Options{Providers: []latchkey.Provider{p}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.serve(setup{server: func(o *server.Options) { o.Local = nil }})
	p.closed.Store(true)
	w.get("/auth/providers").is(t, 200, `{"providers":[],"preselect_remember_me":true}`)
}

// spec: http-auth.md, "P-5"
func TestAProviderMayBeLeftOut(t *testing.T) {
	p := &porter{}
	w := newHouse(t, setup{manager: latchkey.Options{Providers: []latchkey.Provider{p}}})
	const both = `{"providers":[` + localEntry + `,{"name":"Porter","id":"1","type":"porter"}],"preselect_remember_me":true}`
	const one = `{"providers":[` + localEntry + `],"preselect_remember_me":true}`
	w.get("/auth/providers").is(t, 200, both)
	p.closed.Store(true)
	w.get("/auth/providers").is(t, 200, one)
	p.closed.Store(false)
	o := latchkey.Origin{Tunnel: true}
	w.comeFrom("127.0.0.1")
	o.Addr = w.from.Load().Addr
	w.from.Store(&o)
	w.get("/auth/providers").is(t, 200, `{"providers":[`+localEntry+`],"preselect_remember_me":false}`)
}
