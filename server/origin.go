package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/seed-6a977b3d/latchkey"
)

// directOrigin is where a request came from when no proxy is trusted: the peer of the connection. A request that says
// it was forwarded is refused, since its true origin cannot be known (http-auth.md F-2). A peer that is no IP address,
// such as that of a Unix socket, is unknown.
func directOrigin(r *http.Request) (latchkey.Origin, error) {
	if len(r.Header.Values("X-Forwarded-For")) > 0 {
		return latchkey.Origin{}, errors.New("X-Forwarded-For came from a proxy that is not configured as trusted")
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return latchkey.Origin{}, nil
	}
	return latchkey.Origin{Addr: peer.Addr()}, nil
}

type originKey struct{}

func withOrigin(ctx context.Context, o latchkey.Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
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
