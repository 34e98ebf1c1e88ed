package server

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/seed-6a977b3d/latchkey"
	"github.com/seed-6a977b3d/latchkey/server/proxy"
)

// source returns where a request came from: what the program that embeds this says, or else what the proxies say.
func (s *Server) source(r *http.Request) (proxy.Source, error) {
	if s.origin == nil {
		return s.proxies.Read(r)
	}
	origin, err := s.origin(r)
	return proxy.Source{Origin: origin}, err
}

type originKey struct{}

func withOrigin(ctx context.Context, o latchkey.Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

type schemeKey struct{}

func withScheme(ctx context.Context, scheme string) context.Context {
	return context.WithValue(ctx, schemeKey{}, scheme)
}

// schemeOf is the scheme that a trusted proxy says the client used, or nothing.
func schemeOf(r *http.Request) string {
	scheme, _ := r.Context().Value(schemeKey{}).(string)
	return scheme
}

// OriginFrom returns where the request with this context came from. It reports false outside of a [Server]'s handlers.
func OriginFrom(ctx context.Context) (latchkey.Origin, bool) {
	o, ok := ctx.Value(originKey{}).(latchkey.Origin)
	return o, ok
}

// originOf returns the origin that the pipeline found.
func originOf(r *http.Request) latchkey.Origin {
	o, _ := OriginFrom(r.Context())
	return o
}

// fetchesFor is the address that says how near to this machine the page of a client may be that is fetched for somebody: the
// zero Addr, which opens the internet alone, for whoever came through a proxy. What that calls near, another tunnel before
// it may have brought from anywhere (security.md 45 and 49).
func fetchesFor(from latchkey.Origin) netip.Addr {
	if from.Proxied || from.AtProxy {
		return netip.Addr{}
	}
	return from.PersonAddr()
}
