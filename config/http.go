package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/seed-6a977b3d/latchkey/provider/trustednetworks"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// HTTP is what the section http sets, as in a configuration of Home Assistant (http-auth.md §9, §11 and §12).
type HTTP struct {
	// TrustedProxies are the networks of the proxies that pass requests on. None refuses what was passed on.
	TrustedProxies []netip.Prefix
	// IgnoredProxies are those that are listed while nothing that was passed on is to be taken: probably a mistake.
	IgnoredProxies []netip.Prefix
	// BansOff lets everybody in, bans or not.
	BansOff bool
	// LoginAttemptsThreshold is how many failed logins in a row ban an address; [ban.Never] for never.
	LoginAttemptsThreshold int
	// CORSAllowedOrigins are the origins whose pages may use everything. Nil stands for the default.
	CORSAllowedOrigins []string
}

// The keys of the section.
const (
	httpKey        = "http"
	keyForwarded   = "use_x_forwarded_for"
	keyProxies     = "trusted_proxies"
	keyBans        = "ip_ban_enabled"
	keyThreshold   = "login_attempts_threshold"
	keyOrigins     = "cors_allowed_origins"
	keyFrames      = "use_x_frame_options"
	keyHost        = "server_host"
	keyPort        = "server_port"
	keyCertificate = "ssl_certificate"
)

// readHTTP reads the section http. What it knows and cannot do is an error: nobody shall believe that it is done.
func readHTTP(c *Config, n node) error {
	n, err := n.resolve()
	if err != nil {
		return err
	}
	given, err := n.entries()
	if err != nil {
		return err
	}
	for _, e := range given {
		c.note(httpKey, e)
	}
	o := &options{at: n, typ: httpKey, given: given}
	if file, ok := o.take(keyCertificate); ok {
		return file.errorf("latchkey serves no TLS itself: put a reverse proxy in front of it, and name that in %s", keyProxies)
	}
	o.asked = nil
	readProxies(o, &c.HTTP)
	readBans(o, &c.HTTP)
	if _, ok := o.take(keyOrigins); ok {
		c.HTTP.CORSAllowedOrigins = append([]string{}, o.texts(keyOrigins)...)
	}
	if frames, ok := o.take(keyFrames); ok && !o.strictBool(keyFrames) {
		o.fail(frames.errorf("must be true, or left out: no other page may show the pages of latchkey in a frame"))
	}
	readServer(o, c)
	return o.done()
}

// readProxies reads the two keys that go together (http-auth.md §12).
func readProxies(o *options, h *HTTP) {
	use, said := o.take(keyForwarded)
	trust := o.strictBool(keyForwarded)
	at, listed := o.take(keyProxies)
	switch {
	case said && !listed:
		o.fail(use.errorf("needs %s beside it: list the addresses of your proxies", keyProxies))
	case listed && !said:
		o.fail(at.errorf("needs %s beside it: set that to true", keyForwarded))
	}
	o.each(keyProxies, func(n node) error {
		text, err := n.text()
		if err != nil {
			return err
		}
		network, err := trustednetworks.ParseNetwork(text)
		if err != nil {
			return n.wrap(err)
		}
		if trust {
			h.TrustedProxies = append(h.TrustedProxies, network)
		} else {
			h.IgnoredProxies = append(h.IgnoredProxies, network)
		}
		return nil
	})
}

func readBans(o *options, h *HTTP) {
	if _, ok := o.take(keyBans); ok {
		h.BansOff = !o.strictBool(keyBans)
	}
	if n, ok := o.take(keyThreshold); ok {
		if h.LoginAttemptsThreshold = o.number(keyThreshold); h.LoginAttemptsThreshold < ban.Never {
			o.fail(n.errorf("must be -1 for never, or a number of failed logins"))
		}
	}
}

// readServer takes where Home Assistant serves for where latchkey does.
func readServer(o *options, c *Config) {
	hosts := o.texts(keyHost)
	at, ported := o.take(keyPort)
	if len(hosts) == 0 && !ported {
		return
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		o.fail(err)
		return
	}
	if ported {
		number := o.number(keyPort)
		if number < 1 || number > 65535 {
			o.fail(at.errorf("must be a port: a number from 1 to 65535"))
		}
		port = strconv.Itoa(number)
		host = "" // as Home Assistant does, on all addresses, unless the next key says otherwise
	}
	switch len(hosts) {
	case 0:
	case 1:
		host = hosts[0]
	default:
		n, _ := o.take(keyHost)
		o.fail(n.errorf("must be one address: latchkey serves on one, or on all with an empty host in %s", Listen))
	}
	c.Listen = net.JoinHostPort(host, port)
	if n, ok := o.take(keyHost); ok && !ported {
		at = n
	}
	c.Note(Listen, at.place())
}

// FollowedBansFile is where bans are kept beside a Home Assistant that is followed, in the folder of the configuration.
const FollowedBansFile = "latchkey-bans.yaml"

// BanFile is the path of the list of banned addresses: in the configuration folder, as Home Assistant has it, which is
// that of the file that was loaded, else that of the store. A Home Assistant that is followed has a list of its own, which
// is not ours to write.
func (c Config) BanFile() string {
	folder := c.Folder
	switch {
	case c.Store.Follow:
		return filepath.Join(folder, FollowedBansFile)
	case c.Store.Scheme == SchemeHass:
		folder = c.homeAssistant()
	case folder == "" && c.Store.Scheme == schemeSQLite:
		folder = filepath.Dir(c.Store.Path)
	}
	return filepath.Join(folder, ban.FileName)
}

// homeAssistant is the configuration folder of a Home Assistant, in which its .storage folder is, however that is named:
// "." as well.
func (c Config) homeAssistant() string {
	if path, err := filepath.Abs(c.Store.Path); err == nil {
		return filepath.Dir(path)
	}
	return filepath.Dir(filepath.Clean(c.Store.Path)) // nobody knows where we are
}

// BanFiles are the paths of all lists that count: beside a Home Assistant that is followed its own does as well.
func (c Config) BanFiles() []string {
	paths := []string{c.BanFile()}
	if c.Store.Follow {
		paths = append(paths, filepath.Join(c.homeAssistant(), ban.FileName))
	}
	return paths
}

// Bans returns the list of banned addresses that is in files.
func (c Config) Bans(logger *slog.Logger) ban.List {
	paths := c.BanFiles()
	var list ban.List = ban.NewFile(paths[0], logger)
	for _, theirs := range paths[1:] {
		list = ban.Beside(list, ban.NewFile(theirs, logger))
	}
	return list
}

// readURL reads an address of this server: scheme and host, as the server takes it.
func readURL(n node) (string, error) {
	text, err := n.text()
	if err != nil {
		return "", err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return "", n.errorf("is no address of a server: write scheme and host only, such as https://house.example, or leave it out")
	}
	return text, nil
}
