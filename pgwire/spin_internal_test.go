package pgwire

import (
	"io"
	"net"
	"testing"
	"time"
)

// pair is a TCP connection over loopback.
func pair(t *testing.T) (server, client net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close(); client.Close() })
	return server, client
}

func TestSpinner(t *testing.T) {
	server, client := pair(t)
	var s spinner
	s.init(server)
	if s.rc == nil {
		t.Skip("one processor: nothing is looked for")
	}
	p := make([]byte, 10)
	arrived := func(text string) {
		t.Helper()
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // it is in the socket
	}
	arrived("a")
	if n := s.read(p); n != 0 {
		t.Errorf("looked for %d bytes, though others may be at work", n)
	}
	for range spinAfter {
		s.turn(true)
	}
	if n := s.read(p); n != 1 || p[0] != 'a' {
		t.Errorf("%d bytes: %q", n, p[:n])
	}
	// Where nothing comes it is tried ever more rarely, and pays again from the first success on.
	tries := 0
	for range 4 * spinPause {
		if s.pause == 0 {
			tries++
		}
		if n := s.read(p); n != 0 {
			t.Fatalf("%d bytes of a silent client", n)
		}
	}
	if tries < 8 || tries > 16 {
		t.Errorf("%d tries", tries)
	}
	arrived("bc")
	n := 0
	for range spinPause + 1 {
		if n = s.read(p); n > 0 {
			break
		}
	}
	if n != 2 || string(p[:n]) != "bc" {
		t.Errorf("%d bytes: %q", n, p[:n])
	}
	arrived("d")
	if n := s.read(p); n != 1 {
		t.Errorf("not looked for after a success")
	}
	// Neither a deadline, which wakes a connection, nor the end of the client is for the spinner to tell.
	server.SetReadDeadline(time.Unix(1, 0))
	arrived("e")
	if n := s.read(p); n != 0 {
		t.Errorf("%d bytes after the deadline", n)
	}
	server.SetReadDeadline(time.Time{})
	s.pause = 0
	if n := s.read(p); n != 1 {
		t.Error("not looked for after the deadline")
	}
	client.Close()
	time.Sleep(10 * time.Millisecond)
	if n := s.read(p); n != 0 {
		t.Errorf("%d bytes of a client that has gone", n)
	}
	if _, err := server.Read(p); err != io.EOF {
		t.Errorf("got %v", err)
	}
	s.turn(false)
	s.pause = 0
	if s.alone != 0 {
		t.Error("alone, with another connection in use")
	}
}
