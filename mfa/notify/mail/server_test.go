package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a mail server that knows what the tests need of RFC 5321, 3207 and 4954.
type server struct {
	net.Listener
	tls      *tls.Config // offered by STARTTLS, or used from the beginning
	fromTLS  bool        // TLS from the beginning
	startTLS bool        // STARTTLS is offered
	login    string      // "user password"; empty if nobody has to sign in
	refuse   string      // the command that is refused
	silent   func()      // is called instead of a greeting

	mu   sync.Mutex
	seen []letter
	all  sync.WaitGroup
}

// letter is a message with what was known when it came.
type letter struct {
	From, To, Login string
	Encrypted       bool
	Data            string
}

// newServer starts a server on the loopback interface, with a certificate that pool trusts.
func newServer(t *testing.T, change func(*server)) (s *server, port int, pool *x509.CertPool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &server{Listener: listener}
	s.tls, pool = certificate(t)
	change(s)
	s.all.Go(func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			s.all.Go(func() { s.talk(conn) })
		}
	})
	t.Cleanup(func() { _ = s.Close(); s.all.Wait() })
	return s, listener.Addr().(*net.TCPAddr).Port, pool
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// letters returns what has arrived.
func (s *server) letters() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

func (s *server) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if s.silent != nil {
		s.silent()
		_, _ = conn.Read(make([]byte, 1)) // until the client hangs up
		return
	}
	if s.fromTLS {
		conn = tls.Server(conn, s.tls)
	}
	l := letter{Encrypted: s.fromTLS}
	in := bufio.NewReader(conn)
	say := func(line string) { _, _ = conn.Write([]byte(line + "\r\n")) }
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		command, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch command = strings.ToUpper(command); {
		case command == s.refuse:
			say("550 no")
		case command == "EHLO":
			say("250-test")
			if s.startTLS && !l.Encrypted {
				say("250-STARTTLS")
			}
			if s.login != "" {
				say("250-AUTH LOGIN PLAIN")
			}
			say("250 8BITMIME")
		case command == "STARTTLS":
			say("220 go")
			conn = tls.Server(conn, s.tls)
			in, l.Encrypted = bufio.NewReader(conn), true
		case command == "AUTH":
			raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			l.Login = strings.TrimSpace(strings.ReplaceAll(string(raw), "\x00", " "))
			if l.Login != s.login {
				say("535 wrong")
				continue
			}
			say("235 ok")
		case s.login != "" && l.Login == "":
			say("530 sign in")
		case command == "MAIL":
			l.From = address(rest)
			say("250 ok")
		case command == "RCPT":
			l.To = address(rest)
			say("250 ok")
		case command == "DATA":
			say("354 go")
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				l.Data += line
			}
			s.mu.Lock()
			s.seen = append(s.seen, l)
			s.mu.Unlock()
			say("250 ok")
		case command == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// address returns what is between the brackets of MAIL and RCPT.
func address(parameters string) string {
	_, rest, _ := strings.Cut(parameters, "<")
	found, _, _ := strings.Cut(rest, ">")
	return found
}
