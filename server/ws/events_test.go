package ws_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: websocket.md, "EV-1", "EV-2", "EV-3", "G-5"
func TestEvents(t *testing.T) {
	h := newHouse(t, houseOptions{})
	all, added, updated := h.connect(t, h.anna), h.connect(t, h.anna), h.connect(t, h.anna)
	all.ask(`{"id":1,"type":"subscribe_events"}`, `{"id":1,"type":"result","success":true,"result":null}`)
	added.succeed(`{"id":5,"type":"subscribe_events","event_type":"user_added"}`)
	added.succeed(`{"id":6,"type":"subscribe_events","event_type":""}`) // no event is called that
	updated.succeed(`{"id":1,"type":"subscribe_events","event_type":"user_updated"}`)

	ben := h.person(t, "ben")
	name := "Benno"
	if _, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{Name: &name}); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveUser(t.Context(), ben.ID); err != nil {
		t.Fatal(err)
	}
	check := func(c client, id, kind string) {
		t.Helper()
		raw := []byte(c.receive())
		var e struct {
			Event struct {
				Time    time.Time `json:"time_fired"`
				Context struct{ ID string }
			}
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if e.Event.Context.ID == "" || !strings.HasSuffix(e.Event.Time.Format(time.RFC3339), "Z") {
			t.Errorf("%s", raw)
		}
		fired := regexp.MustCompile(`"time_fired":"([^"]*\+00:00)"`).FindSubmatch(raw)
		if fired == nil {
			t.Fatalf("no time in UTC in %s", raw)
		}
		sameJSON(t, raw, `{"id":`+id+`,"type":"event","event":{"event_type":"`+kind+`","data":{"user_id":"`+ben.ID+`"},
			"origin":"LOCAL","time_fired":"`+string(fired[1])+`","context":{"id":"`+e.Event.Context.ID+`","parent_id":null,"user_id":null}}}`)
	}
	check(all, "1", "user_added")
	check(all, "1", "user_updated")
	check(all, "1", "user_removed")
	check(added, "5", "user_added")
	check(updated, "1", "user_updated")

	all.ask(`{"id":2,"type":"unsubscribe_events","subscription":1}`, `{"id":2,"type":"result","success":true,"result":null}`)
	for i, none := range []string{"1", "7", "-1", "0"} {
		all.refused(`{"id":`+number(i+3)+`,"type":"unsubscribe_events","subscription":`+none+`}`, "not_found", "Subscription not found.")
	}
	added.refused(`{"id":7,"type":"unsubscribe_events","subscription":1}`, "not_found", "") // that of another socket
	h.person(t, "cleo")
	check2 := added.receive()
	if !strings.HasPrefix(check2, `{"id":5,"type":"event","event":{"event_type":"user_added"`) {
		t.Error(check2)
	}
	all.ask(`{"id":9,"type":"ping"}`, `{"id":9,"type":"pong"}`) // without an event before it
	updated.ask(`{"id":9,"type":"ping"}`, `{"id":9,"type":"pong"}`)
}

// spec: websocket.md, "EV-1": what people who are no admins may subscribe to
func TestSubscriptionsOfOthers(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.person(t, "ben", latchkey.GroupUser))
	for i, kind := range []string{`state_changed`, `themes_updated`, `component_loaded`} {
		c.succeed(`{"id":` + number(i+1) + `,"type":"subscribe_events","event_type":"` + kind + `"}`)
	}
	c.refused(`{"id":10,"type":"subscribe_events"}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":11,"type":"subscribe_events","event_type":"user_added"}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":12,"type":"subscribe_events","event_type":""}`, "unauthorized", "Unauthorized")
	c.refused(`{"id":13,"type":"subscribe_events","event_type":null}`, "invalid_format", "")
	c.refused(`{"id":14,"type":"unsubscribe_events","subscription":10}`, "not_found", "")
}

// spec: websocket.md, "EV-4"
func TestEventsEndWithTheRightToThem(t *testing.T) {
	h := newHouse(t, houseOptions{})
	ben := h.person(t, "ben", latchkey.GroupAdmin)
	c := h.connect(t, ben)
	c.succeed(`{"id":1,"type":"subscribe_events"}`)
	groups := []string{latchkey.GroupUser}
	if _, err := h.UpdateUser(t.Context(), ben.ID, latchkey.UserUpdate{GroupIDs: &groups}); err != nil {
		t.Fatal(err)
	}
	h.person(t, "cleo")
	c.ask(`{"id":2,"type":"ping"}`, `{"id":2,"type":"pong"}`)
}

// A client cannot make the server do more and more for each event.
func TestSubscriptionsAreBounded(t *testing.T) {
	h := newHouse(t, houseOptions{})
	c := h.connect(t, h.anna)
	for i := range 1000 {
		c.succeed(`{"id":` + number(i+1) + `,"type":"subscribe_events"}`)
	}
	c.refused(`{"id":1001,"type":"subscribe_events"}`, "not_allowed", "")
	c.succeed(`{"id":1002,"type":"unsubscribe_events","subscription":500}`)
	c.succeed(`{"id":1003,"type":"subscribe_events"}`)
}
