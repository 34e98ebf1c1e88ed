package ws_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"testing"
)

// idle opens n sockets that authenticate and then do nothing, over bare connections that cost next to nothing
// themselves.
func (h house) idle(t testing.TB, n int) (closeAll func()) {
	t.Helper()
	at, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	auth := `{"type":"auth","access_token":"` + h.accessToken(t, h.refreshToken(t, h.anna)) + `"}`
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", at.Host)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
		in := bufio.NewReaderSize(c, 512)
		fmt.Fprintf(c, "GET /api/websocket HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+
			"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n", at.Host)
		answer, err := http.ReadResponse(in, nil)
		if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(answer, err)
		}
		length := len(auth)
		header := []byte{0x81, 0x80 | 126, byte(length >> 8), byte(length), 0, 0, 0, 0}
		if _, err := c.Write(append(header, auth...)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // auth_required, auth_ok
			var head [2]byte
			if _, err := io.ReadFull(in, head[:]); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Discard(int(head[1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// inUse is the memory that the program's own data takes: heap and stacks.
func inUse() int {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// An idle socket takes at most 60 KiB, compression negotiated (websocket.md W-2).
func TestIdleSocketsAreSmall(t *testing.T) {
	const n, limit = 300, 60 << 10
	h := newHouse(t, houseOptions{})
	h.idle(t, 10)() // what is needed once
	before := inUse()
	closeAll := h.idle(t, n)
	each := (inUse() - before) / n
	closeAll()
	t.Logf("%d bytes a socket", each)
	if each > limit {
		t.Errorf("an idle socket takes %d bytes, want at most %d", each, limit)
	}
}

// BenchmarkIdleSockets reports what one of 1000 idle sockets takes.
func BenchmarkIdleSockets(b *testing.B) {
	const n = 1000
	h := newHouse(b, houseOptions{})
	h.idle(b, 10)()
	for b.Loop() {
		before := inUse()
		closeAll := h.idle(b, n)
		b.ReportMetric(float64(inUse()-before)/n, "B/socket")
		closeAll()
	}
}

// BenchmarkPing is a command there and back.
func BenchmarkPing(b *testing.B) {
	h := newHouse(b, houseOptions{})
	c := h.connect(b, h.anna)
	id := 0
	b.ReportAllocs()
	for b.Loop() {
		id++
		c.ask(`{"id":`+number(id)+`,"type":"ping"}`, `{"id":`+number(id)+`,"type":"pong"}`)
	}
}
