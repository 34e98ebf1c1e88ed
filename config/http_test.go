package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// spec: http-auth.md §9, §11 and §12: the options of the section http
func TestHTTPSection(t *testing.T) {
	c := load(t, map[string]string{"latchkey.yaml": `
homeassistant:
  external_url: https://house.example
  internal_url: http://192.168.1.5:8123
http:
  server_port: 8124
  use_x_forwarded_for: true
  trusted_proxies:
    - 10.0.0.0/8
    - 127.0.0.1
    - ::1
  ip_ban_enabled: false
  login_attempts_threshold: 5
  cors_allowed_origins:
    - https://cast.example
  use_x_frame_options: true
`})
	same(t, config.HTTP{
		TrustedProxies: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128"),
		},
		BansOff: true, LoginAttemptsThreshold: 5, CORSAllowedOrigins: []string{"https://cast.example"},
	}, c.HTTP)
	same(t, []string{"https://house.example", "http://192.168.1.5:8123"}, c.URLs)
	same(t, ":8124", c.Listen)

	c = load(t, map[string]string{"latchkey.yaml": "http:\n  cors_allowed_origins: []\n  server_host: 192.168.1.5\n"})
	same(t, config.HTTP{LoginAttemptsThreshold: ban.Never, CORSAllowedOrigins: []string{}}, c.HTTP)
	same(t, "192.168.1.5:8123", c.Listen)

	c = load(t, map[string]string{"latchkey.yaml": "http:\n  use_x_forwarded_for: false\n  trusted_proxies: 10.0.0.1\n"})
	same(t, config.HTTP{LoginAttemptsThreshold: ban.Never, IgnoredProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}}, c.HTTP)
	same(t, config.Default().HTTP, load(t, map[string]string{"latchkey.yaml": "http:\n"}).HTTP)
}

func TestHTTPSectionThatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"use_x_forwarded_for: true":                                     "needs trusted_proxies beside it",
		"trusted_proxies: [10.0.0.1]":                                   "needs use_x_forwarded_for beside it",
		"use_x_forwarded_for: yes please\n  trusted_proxies: [::1]":     "must be true or false",
		"use_x_forwarded_for: true\n  trusted_proxies: [proxy.example]": "proxy.example",
		"ssl_certificate: fullchain.pem":                                "serves no TLS",
		"use_x_frame_options: false":                                    "must be true",
		"login_attempts_threshold: many":                                "whole number",
		"login_attempts_threshold: -2":                                  "-1 for never",
		"server_port: 0":                                                "1 to 65535",
		"server_host: [a, b]":                                           "one address",
		"api_password: x":                                               "unknown option",
	} {
		_, err := config.Load(folder(t, map[string]string{"latchkey.yaml": "http:\n  " + text + "\n"}))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "latchkey.yaml") {
			t.Errorf("%s: error %v, want one that says %q and names the file", text, err, want)
		}
	}
}

// spec: http-auth.md §9: the ban file lies in the configuration folder
func TestWhereTheBanFileIs(t *testing.T) {
	path := folder(t, map[string]string{"latchkey.yaml": "store: sqlite:data/latchkey.db\n"})
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, filepath.Join(filepath.Dir(path), "ip_bans.yaml"), c.BanFile())
	c = config.Default()
	c.Store.Path = "/data/latchkey.db"
	same(t, "/data/ip_bans.yaml", c.BanFile())
	c.Store = config.StoreAddress{Scheme: "hass", Path: "/homeassistant/.storage/"}
	same(t, "/homeassistant/ip_bans.yaml", c.BanFile())
	c.Folder, c.Store.Follow = "/etc/latchkey", true
	same(t, "/etc/latchkey/latchkey-bans.yaml", c.BanFile())
}

// Whom Home Assistant has banned is kept out beside it as well, and its list is not written.
func TestTheBansOfAHomeAssistantThatIsFollowed(t *testing.T) {
	const theirs = "203.0.113.9:\n  banned_at: null\n"
	path := folder(t, map[string]string{
		"latchkey.yaml": "store: hass:.storage?mode=follow\n", ".storage/auth": "{}", "ip_bans.yaml": theirs,
	})
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	list := c.Bans(nil)
	if err := list.Ban(t.Context(), netip.MustParseAddr("203.0.113.10"), time.Now()); err != nil {
		t.Fatal(err)
	}
	if all, err := list.Bans(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("banned are %v, %v", all, err)
	}
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(path), "ip_bans.yaml")); err != nil || string(text) != theirs {
		t.Errorf("their list holds %q, %v", text, err)
	}
}
