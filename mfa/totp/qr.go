package totp

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"rsc.io/qr"

	"github.com/seed-6a977b3d/latchkey"
)

// issuer is what authenticator apps show beside the account. It is the one that they show for Home Assistant, whose
// second factors go on working here.
const issuer = "Home%20Assistant"

// URL returns the address with which an authenticator app learns a secret (mfa.md §4). The account is the user's name:
// null is written as None, the empty name as Secret.
func URL(name latchkey.NullString, secret string) string {
	account := name.Text
	switch {
	case !name.Valid:
		account = "None"
	case account == "":
		account = "Secret"
	}
	return "otpauth://totp/" + issuer + ":" + label(account) + "?secret=" + escape(secret) + "&issuer=" + issuer
}

// maxLabel is how many bytes the escaped account may have, so that the whole address fits into a QR code. A name in letters
// beyond ASCII takes six or nine for each.
const maxLabel = 1000

// label is an escaped name, or as many of its characters as there is room for.
func label(name string) string {
	var b strings.Builder
	for name != "" {
		_, length := utf8.DecodeRuneInString(name)
		character := escape(name[:length])
		if b.Len()+len(character) > maxLabel {
			break
		}
		b.WriteString(character)
		name = name[length:]
	}
	return b.String()
}

// escape writes everything but the unreserved characters of RFC 3986, and the slash, as %XX.
func escape(s string) string {
	const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
	var b strings.Builder
	for _, c := range []byte(s) {
		if strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// QRCode is a square of dark and light modules.
type QRCode struct{ code *qr.Code }

// The drawing: modules of light around the code, and pixels a module (mfa.md §4).
const (
	quietZone = 4
	scale     = 4
)

// NewQRCode returns the QR code of a text, with error correction of level H. A text beyond some 1 200 bytes does not fit.
func NewQRCode(text string) (QRCode, error) {
	code, err := qr.Encode(text, qr.H)
	if err != nil {
		return QRCode{}, fmt.Errorf("make a QR code of %d bytes, which are too many: %w", len(text), err)
	}
	code.Scale = scale
	return QRCode{code}, nil
}

// PNG returns the code as a PNG image.
func (q QRCode) PNG() []byte { return q.code.PNG() }

// SVG returns the code as an SVG element on one line, to be put into a page as it is. Each run of dark modules in a row
// is one stroke, and all moves but the first are relative.
func (q QRCode) SVG() string {
	var b strings.Builder
	side := (q.code.Size + 2*quietZone) * scale
	fmt.Fprintf(&b, `<svg height="%d" width="%d" class="pyqrcode"><path transform="scale(%d)" stroke="#000" class="pyqrline" `+
		`d="M%d %d.5`, side, side, scale, quietZone, quietZone)
	penX, penY := 0, 0 // every QR code is dark there
	for y := range q.code.Size {
		for x := 0; x < q.code.Size; x++ {
			length := q.run(x, y)
			if length == 0 {
				continue
			}
			if x != penX || y != penY {
				fmt.Fprintf(&b, "m%d %d", x-penX, y-penY)
			}
			fmt.Fprintf(&b, "h%d", length)
			x += length
			penX, penY = x, y
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

// run returns how many dark modules follow each other in a row from here on.
func (q QRCode) run(x, y int) int {
	n := 0
	for x+n < q.code.Size && q.code.Black(x+n, y) {
		n++
	}
	return n
}
