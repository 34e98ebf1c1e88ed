package registry_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-6a977b3d/latchkey/permission"
	"github.com/seed-6a977b3d/latchkey/registry"
)

const (
	entities = `{"version": 1, "minor_version": 13, "key": "core.entity_registry", "data": {"entities": [
		{"entity_id": "light.kitchen", "device_id": "dev1", "area_id": "elsewhere", "platform": "hue"},
		{"entity_id": "light.ghostdev", "device_id": "gone"},
		{"entity_id": "light.loose", "device_id": null}, {"entity_id": "light.bare"}], "deleted_entities": [{"entity_id": "light.old"}]}}`
	devices = `{"version": 1, "key": "core.device_registry", "data": {"devices": [
		{"id": "dev1", "area_id": "kitchen", "name": null}, {"id": "dev2", "area_id": null}], "deleted_devices": []}}`
)

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, registry.EntityFile, entities)
	write(t, dir, registry.DeviceFile, devices)
	return dir
}

// spec: permissions.md §2: "device_ids", "area_ids", the lookup object
func TestWhereThingsAre(t *testing.T) {
	r, err := registry.Open(folder(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"light.kitchen": "dev1", "light.ghostdev": "gone", "light.loose": "", "light.bare": "", "light.old": "", "light.unregistered": ""} {
		if got, ok := r.DeviceOfEntity(id); got != want || ok != (want != "") {
			t.Errorf("%s is of device %q, %v", id, got, ok)
		}
	}
	for id, want := range map[string]string{"dev1": "kitchen", "dev2": "", "gone": ""} {
		if got, ok := r.AreaOfDevice(id); got != want || ok != (want != "") {
			t.Errorf("%s is in area %q, %v", id, got, ok)
		}
	}
	policy, err := permission.Parse([]byte(`{"entities":{"area_ids":{"kitchen":{"control":true}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := permission.Compile(policy, r)
	if !p.Check("light.kitchen", permission.Control) || p.Check("light.ghostdev", permission.Control) {
		t.Error("the policy does not follow the registries")
	}
}

func TestEntitiesAreFoundByAPartOfTheirID(t *testing.T) {
	r, err := registry.Open(folder(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		text  string
		limit int
		want  []string
	}{
		{"", 10, []string{"light.bare", "light.ghostdev", "light.kitchen", "light.loose"}},
		{"", 2, []string{"light.bare", "light.ghostdev"}},
		{"kit", 10, []string{"light.kitchen"}},
		{"old", 10, nil}, // deleted
	} {
		if got := r.FindEntities(row.text, row.limit); !slices.Equal(got, row.want) {
			t.Errorf("%d with %q: %q, want %q", row.limit, row.text, got, row.want)
		}
	}
}

func TestRegistriesAreReadAnewWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := folder(t)
		var log bytes.Buffer
		r, err := registry.Open(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, registry.DeviceFile, strings.Replace(devices, `"area_id": null`, `"area_id": "attic"`, 1))
		if _, ok := r.AreaOfDevice("dev2"); ok {
			t.Error("the files are looked at for every question")
		}
		time.Sleep(time.Second)
		if area, _ := r.AreaOfDevice("dev2"); area != "attic" {
			t.Errorf("dev2 is in area %q", area)
		}
		write(t, dir, registry.DeviceFile, `{"torn`)
		time.Sleep(time.Second)
		for range 3 { // it is told once
			if area, _ := r.AreaOfDevice("dev2"); area != "attic" || strings.Count(log.String(), registry.DeviceFile) != 1 {
				t.Errorf("a torn file: area %q, log %q", area, &log)
			}
			time.Sleep(time.Second)
		}
		if err := os.Remove(filepath.Join(dir, registry.EntityFile)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, ok := r.DeviceOfEntity("light.kitchen"); ok {
			t.Error("the file is gone, and what it held is not")
		}
	})
}

func TestFilesThatAreMissingOrWrong(t *testing.T) {
	r, err := registry.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.DeviceOfEntity("light.kitchen"); ok {
		t.Error("found in nothing")
	}
	for _, text := range []string{"", "{", "[]", `{"data": {"entities": {}}}`, `{"data": {"entities": [{"entity_id": 1}]}}`} {
		dir := folder(t)
		write(t, dir, registry.EntityFile, text)
		if _, err := registry.Open(dir, nil); err == nil || !strings.Contains(err.Error(), registry.EntityFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	r, err := registry.Open(folder(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.DeviceOfEntity("light.kitchen"); !ok {
			b.Fatal("not found")
		}
	}
}
