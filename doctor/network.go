package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/config"
	"github.com/seed-6a977b3d/latchkey/server/ban"
)

// network looks at where the server can be reached, and through what.
func (e *examination) network(ctx context.Context) {
	host, port, err := net.SplitHostPort(e.config.Listen)
	if err != nil {
		e.add(Network, Error, "write host:port", "%s is no address to listen on", e.config.Listen)
		return
	}
	reach := e.reach(ctx, host)
	proxies := e.config.HTTP.TrustedProxies
	if ignored := e.config.HTTP.IgnoredProxies; len(ignored) > 0 {
		e.add(Network, Warning, "set use_x_forwarded_for to true if these are your proxies, or remove trusted_proxies",
			"trusted_proxies lists %s, but use_x_forwarded_for is false: what a proxy passes on is refused", joined(ignored))
	}
	for _, p := range proxies {
		e.proxy(p, reach)
	}
	for _, text := range e.config.URLs {
		e.url(text, host, port)
	}
	public := slices.DeleteFunc(slices.Clone(reach), func(a netip.Addr) bool { return !isPublic(a) })
	switch {
	case len(public) > 0:
		e.add(Network, Warning, "listen on 127.0.0.1 or an address of the home network, and put a reverse proxy with TLS in front, named in trusted_proxies",
			"%s can be reached from the internet at %v, and passwords travel there for everybody to read", e.config.Listen, public[0])
	case slices.ContainsFunc(reach, func(a netip.Addr) bool { return !a.IsLoopback() }):
		e.add(Network, Note, "", "%s can be reached from the home network, where passwords travel without TLS", e.config.Listen)
	}
	e.or(Network, "%s can be reached from this machine alone", e.config.Listen)
}

// lookUpAtMost is how long the look-up of a name may take.
const lookUpAtMost = 5 * time.Second

// mendListen is the advice about an address that cannot be listened on.
const mendListen = "choose an address of this machine, such as 127.0.0.1:8123, or :8123 for all of them"

// reach returns the addresses at which the server listens, as far as they are known.
func (e *examination) reach(ctx context.Context, host string) []netip.Addr {
	all, err := e.Addresses()
	if err != nil {
		e.add(Network, Warning, "", "the addresses of this machine are not known: %v", err)
	}
	switch host {
	case "", "::":
		return all
	case "0.0.0.0":
		return slices.DeleteFunc(all, func(a netip.Addr) bool { return !a.Is4() })
	case "localhost":
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if addr, err = e.lookUp(ctx, host); err != nil {
			e.add(Network, Error, mendListen, "%s cannot be listened on: %v", e.config.Listen, err)
			return nil
		}
	}
	addr = addr.Unmap()
	if len(all) > 0 && !addr.IsLoopback() && !slices.Contains(all, addr.WithZone("")) {
		// Another program may bring it later, or this is not the machine that serves.
		e.add(Network, Warning, mendListen, "%s cannot be listened on here: %v is no address of this machine now", e.config.Listen, addr)
	}
	return []netip.Addr{addr}
}

// lookUp returns the address of a name that serve would listen on: one of version 4 before others.
func (e *examination) lookUp(ctx context.Context, name string) (netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookUpAtMost)
	defer cancel()
	found, err := e.LookUp(ctx, name)
	if err != nil || len(found) == 0 {
		return netip.Addr{}, fmt.Errorf("%q is no address, and no name that has one", name)
	}
	for _, addr := range found {
		if addr.Unmap().Is4() {
			return addr, nil
		}
	}
	return found[0], nil
}

// isPublic reports whether an address may be reached from anywhere.
func isPublic(a netip.Addr) bool {
	// The shared addresses of providers (RFC 6598) are not reached from elsewhere.
	shared := netip.MustParsePrefix("100.64.0.0/10")
	return a.IsGlobalUnicast() && !a.IsPrivate() && !latchkey.IsLocal(a) && !shared.Contains(a.Unmap())
}

// The widest networks in which somebody keeps only proxies, by the number of bits that are fixed.
const (
	wide4 = 8
	wide6 = 32
)

// proxy looks at a network whose word is taken for where requests come from.
func (e *examination) proxy(p netip.Prefix, reach []netip.Addr) {
	const mend = "name the addresses of your own proxies only"
	wide := wide4
	if p.Addr().Is6() {
		wide = wide6
	}
	switch {
	case p.Bits() == 0:
		e.add(Network, Error, mend, "trusted_proxies holds %v: anybody may claim to be anywhere, such as at home", p)
		return
	case p.Bits() < wide, isPublic(p.Addr()) && !p.IsSingleIP():
		e.add(Network, Warning, mend, "trusted_proxies holds %v: whoever is in there may claim to be anywhere, such as at home", p)
	}
	here := slices.ContainsFunc(reach, func(a netip.Addr) bool { return !a.IsLoopback() })
	if !here && len(reach) > 0 && !p.Overlaps(netip.MustParsePrefix("127.0.0.0/8")) && !p.Contains(netip.IPv6Loopback()) {
		e.add(Network, Warning, "listen on an address that the proxy reaches, or run the proxy here and trust 127.0.0.1",
			"the proxy %v cannot reach %s", p, e.config.Listen)
	}
}

// url looks at an address under which people are told to come.
func (e *examination) url(text, host, port string) {
	u, err := url.Parse(text)
	if err != nil {
		return // the configuration says so
	}
	proxied := len(e.config.HTTP.TrustedProxies) > 0
	name, at := u.Hostname(), u.Port()
	addr, parseErr := netip.ParseAddr(name)
	private := parseErr == nil && !isPublic(addr) || name == "localhost" || strings.HasSuffix(name, ".local") ||
		parseErr != nil && !strings.Contains(name, ".")
	switch {
	case u.Scheme == "https" && !proxied:
		e.add(Network, Warning, "name the proxy in trusted_proxies, with use_x_forwarded_for: true",
			"people come by %s, so that a proxy has to be in front, and none is trusted: what it passes on with X-Forwarded-For is refused", text)
	case u.Scheme == "http" && !private:
		e.add(Network, Warning, "let a proxy with TLS stand in front, and write https://"+u.Host, "people come by %s, and passwords travel for everybody to read", text)
	case u.Scheme == "http" && !proxied && portOf(at) != port && port != "0":
		e.add(Network, Warning, "write the port that is listened on, or name the proxy in between in trusted_proxies",
			"people come by %s, and %s is another port", text, e.config.Listen)
	case u.Scheme == "http" && !proxied && parseErr == nil && isOther(addr, host):
		e.add(Network, Warning, "write the address that is listened on, or listen on all addresses",
			"people come by %s, and %s is another address", text, e.config.Listen)
	}
}

func portOf(port string) string {
	if port == "" {
		return "80"
	}
	return port
}

// isOther reports whether one address is listened on, and it is not this.
func isOther(addr netip.Addr, host string) bool {
	listens, err := netip.ParseAddr(host)
	return err == nil && !listens.IsUnspecified() && listens.Unmap() != addr.Unmap()
}

// signIn looks at the ways to sign in for those that let too many in, or nobody.
func (e *examination) signIn() {
	if len(e.config.AuthProviders) == 0 {
		e.add(SignIn, Error, "list one in auth_providers, such as {type: homeassistant}", "there is no way to sign in")
	}
	for _, p := range e.config.AuthProviders {
		switch p := p.(type) {
		case config.TrustedNetworks:
			for _, n := range p.Networks {
				if n.Bits() == 0 || isPublic(n.Addr()) && !n.IsSingleIP() {
					e.add(SignIn, Error, "name the home network only, such as 192.168.1.0/24",
						"trusted_networks lets people in %v sign in without a password", n)
				}
			}
		case config.CommandLine:
			if _, err := exec.LookPath(p.Command); err != nil {
				e.add(SignIn, Error, "correct the command, or make it executable", "command_line: %v", err)
			}
		case config.LegacyAPIPassword:
			e.add(SignIn, Note, "give each program a long-lived token instead, with `latchkey token create`",
				"legacy_api_password lets everybody in who has one password that all share")
		}
	}
	for _, m := range e.config.MFAModules {
		if _, ok := m.(config.Notify); ok && len(e.config.Notify) == 0 {
			e.add(SignIn, Warning, "name a service in the section notify, or remove the module",
				"the second factor notify has no service to send codes by, so that nobody can set it up")
		}
	}
	e.or(SignIn, "people sign in by %s", count(len(e.config.AuthProviders), "way"))
}

// bans looks at the list of addresses that are kept out.
func (e *examination) bans(h house) {
	threshold := e.config.HTTP.LoginAttemptsThreshold
	switch {
	case e.config.Store.HasBans():
		e.ok(Bans, "the store keeps the list")
		return
	case e.config.HTTP.BansOff:
		e.add(Bans, Note, "", "nobody is kept out, because ip_ban_enabled is false")
		return
	}
	missing, paths := 0, e.config.BanFiles()
	for _, path := range paths {
		if _, _, err := ban.Examine(path); isMissing(err) {
			missing++
			continue
		}
		e.banFile(path)
	}
	if missing < len(paths) {
		return
	}
	never := ""
	if threshold == ban.Never {
		never = ", and failed logins add none, because login_attempts_threshold is not set"
	}
	e.ok(Bans, "no address is banned%s", never)
}

func (e *examination) banFile(path string) {
	banned, problems, err := ban.Examine(path)
	if err != nil {
		e.add(Bans, Error, "mend the file with an editor, or delete it to lift all bans", "%s is not readable, so nobody is banned: %v", path, err)
		return
	}
	for _, p := range problems {
		e.add(Bans, Warning, "mend the entry, or remove it", "%s:%d: the entry bans nobody: %v", path, p.Line, p.Err)
	}
	for addr := range banned {
		for _, p := range e.config.HTTP.TrustedProxies {
			if p.Contains(addr) {
				e.add(Bans, Note, "`latchkey ban lift "+addr.String()+"` removes it", "the ban of %v has no effect: it is that of a proxy", addr)
			}
		}
	}
	e.or(Bans, "%s banned, in %s", count(len(banned), "address"), path)
}

func joined(networks []netip.Prefix) string {
	var texts []string
	for _, n := range networks {
		texts = append(texts, n.String())
	}
	return strings.Join(texts, ", ")
}

func number(n int) string { return strconv.Itoa(n) }

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		return number(n) + " " + what + "es"
	}
	return number(n) + " " + what + "s"
}
