package totp

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/png"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-6a977b3d/latchkey"
)

// spec: mfa.md §4, "URL"
func TestURL(t *testing.T) {
	const head, tail = "otpauth://totp/Home%20Assistant:", "?secret=FPPTH34D4E3MI2HG&issuer=Home%20Assistant"
	for _, tt := range []struct {
		name latchkey.NullString
		want string
	}{
		{latchkey.Text("Paulus Sch/é @x"), "Paulus%20Sch/%C3%A9%20%40x"},
		{latchkey.Text("a-b.c_d~e"), "a-b.c_d~e"},
		{latchkey.Text(`&?#%:+="`), "%26%3F%23%25%3A%2B%3D%22"},
		{latchkey.NullString{}, "None"},
		{latchkey.Text(""), "Secret"},
	} {
		if got := URL(tt.name, "FPPTH34D4E3MI2HG"); got != head+tt.want+tail {
			t.Errorf("URL(%v) = %s", tt.name, got)
		}
	}
}

// spec: mfa.md §4, "QR image": what the SVG draws is the code, with four light modules around it, and so is the PNG
func TestImagesShowTheCode(t *testing.T) {
	q, err := NewQRCode(URL(latchkey.Text("Anna"), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
	if err != nil {
		t.Fatal(err)
	}
	svg := q.SVG()
	if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
		t.Fatal(err)
	}
	side := q.code.Size + 8
	head := fmt.Sprintf(`<svg height="%d" width="%[1]d" class="pyqrcode">`+
		`<path transform="scale(4)" stroke="#000" class="pyqrline" d="M4 4.5h7m`, side*4)
	if !strings.HasPrefix(svg, head) || strings.ContainsAny(svg, "\n\r") {
		t.Errorf("svg begins with %.150s, want %s", svg, head)
	}
	drawn := draw(t, svg, side)
	picture, err := png.Decode(bytes.NewReader(q.PNG()))
	if err != nil {
		t.Fatal(err)
	}
	if got := picture.Bounds(); got != image.Rect(0, 0, side*4, side*4) {
		t.Fatalf("the PNG has %v", got)
	}
	for y := range side {
		for x := range side {
			want := q.code.Black(x-4, y-4)
			if drawn[y][x] != want {
				t.Fatalf("the SVG differs at %d, %d", x, y)
			}
			if r, _, _, _ := picture.At(x*4+1, y*4+1).RGBA(); (r == 0) != want {
				t.Fatalf("the PNG differs at %d, %d", x, y)
			}
		}
	}
}

// draw follows the pen of the SVG's path.
func draw(t *testing.T, svg string, side int) [][]bool {
	t.Helper()
	path := regexp.MustCompile(` d="M4 4\.5([^"]*)"`).FindStringSubmatch(svg)
	if path == nil {
		t.Fatalf("no path in %.200s", svg)
	}
	rows := make([][]bool, side)
	for i := range rows {
		rows[i] = make([]bool, side)
	}
	x, y := 4, 4
	for _, move := range regexp.MustCompile(`h\d+|m-?\d+ -?\d+`).FindAllString(path[1], -1) {
		var dx, dy int
		if n, _ := fmt.Sscanf(move, "h%d", &dx); n == 1 {
			for range dx {
				rows[y][x] = true
				x++
			}
			continue
		}
		if _, err := fmt.Sscanf(move, "m%d %d", &dx, &dy); err != nil {
			t.Fatalf("%s: %v", move, err)
		}
		x, y = x+dx, y+dy
	}
	return rows
}

func BenchmarkSetUpImage(b *testing.B) {
	for b.Loop() {
		q, err := NewQRCode(URL(latchkey.Text("Anna"), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))
		if err != nil {
			b.Fatal(err)
		}
		_ = q.SVG()
	}
}
