package ws

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/seed-6a977b3d/latchkey"
)

// Signer makes paths that work without a token for a while. The Signer of package server is one.
type Signer interface {
	// Sign returns the path with a signature on behalf of the refresh token, which the server that serves the path
	// accepts until it expires. A path that cannot be signed is an error of kind [latchkey.ErrValue].
	Sign(path string, token latchkey.RefreshToken, expires time.Duration) (string, error)
}

// maxSigned is the longest time in seconds that a path can be signed for (websocket.md §5.7).
const maxSigned = 1e12

func signCommands(s Signer) []Command {
	if s == nil {
		return nil
	}
	return []Command{
		Define("auth/sign_path", Anyone, func(_ context.Context, c *Call, in signPath) (signedPath, error) {
			return sign(s, c, in)
		}),
	}
}

type signPath struct {
	Path    string `json:"path"`
	Expires *int64 `json:"expires,omitzero"` // seconds
}

type signedPath struct {
	Path string `json:"path"`
}

func sign(s Signer, c *Call, in signPath) (signedPath, error) {
	seconds := int64(30)
	if in.Expires != nil {
		seconds = *in.Expires
	}
	if seconds > maxSigned || seconds < -maxSigned {
		return signedPath{}, errUnknown
	}
	path, err := s.Sign(in.Path, c.Token, lasting(seconds))
	if value, ok := errors.AsType[*latchkey.Error](err); ok && errors.Is(value, latchkey.ErrValue) {
		return signedPath{}, invalidFormat(value.Text)
	}
	return signedPath{path}, err
}

// lasting is a number of seconds, or the longest duration there is: it is some 292 years, and signatures do not outlive
// the process.
func lasting(seconds int64) time.Duration {
	const limit = int64(math.MaxInt64 / time.Second)
	return time.Duration(min(max(seconds, -limit), limit)) * time.Second
}
