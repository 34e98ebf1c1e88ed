package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A disk that is full is an error to whoever needs it, and to nobody else, and the server goes on when there is space again.
func TestAFullDiskUnderHomeAssistantsFiles(t *testing.T) {
	place := t.TempDir()
	if err := syscall.Mount("latchkey", place, "tmpfs", 0, "size=256k,mode=700"); err != nil {
		t.Skipf("a small file system cannot be mounted here, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(place, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(place, ".storage")
	fillStorage(t, dir)
	before := read(t, filepath.Join(dir, "auth"))
	p := start(t, "", "--store", "hass:"+dir)
	if !renewed(t, p) {
		t.Fatal("the session of Home Assistant is refused")
	}
	ballast, err := os.Create(filepath.Join(place, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0; {
		if _, err := ballast.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = ballast.Close()
	res, err := http.PostForm(p.address+"/auth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {"https://ha.example.org/"}, "refresh_token": {strings.Repeat("a", 128)},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode < 500 { // a client takes that for what it is: not signed out (client-js.md §7)
		t.Errorf("a session is renewed on a full disk: %s", res.Status)
	}
	if got := p.api(longLived(t)); got != http.StatusOK {
		t.Errorf("what needs no disk is answered %d", got)
	}
	if err := os.Remove(ballast.Name()); err != nil {
		t.Fatal(err)
	}
	if !renewed(t, p) {
		t.Error("with space again, the session is refused")
	}
	p.kill()
	p = start(t, "", "--store", "hass:"+dir)
	if !renewed(t, p) || read(t, filepath.Join(dir, "auth")) == before {
		t.Error("started again, the session is refused, or was not written")
	}
	p.stop() // or what it has open could not be unmounted
}
