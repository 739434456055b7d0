package integration

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// victim is a node that gets bad input, with sessions that must not notice.
type victim struct {
	*testing.T
	c          *cluster
	witness    *pgx.Conn // has a transaction open with a row of its own
	see        *pgx.Conn
	goroutines int
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	c := start(t, "dc1")
	v := &victim{T: t, c: c, witness: c.conn(0), see: c.conn(0)}
	exec(t, v.see, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	exec(t, v.witness, "BEGIN")
	exec(t, v.witness, "INSERT INTO t VALUES (-1, 'witness')")
	v.unharmed()
	v.goroutines = quiet(t)
	return v
}

// quiet returns the number of goroutines once it stands still.
func quiet(t *testing.T) int {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	n, same := runtime.NumGoroutine(), 0
	for deadline := time.Now().Add(wait); same < 20; {
		<-tick.C
		if m := runtime.NumGoroutine(); m == n {
			same++
		} else {
			n, same = m, 0
		}
		if time.Now().After(deadline) {
			t.Fatal("the number of goroutines never stands still")
		}
	}
	return n
}

// unharmed checks that the other sessions work and that nothing was written.
func (v *victim) unharmed() {
	v.Helper()
	wantOne(v.T, v.witness, "witness", "SELECT v FROM t WHERE id = -1")
	wantOne(v.T, v.see, "0", "SELECT count(*) FROM t")
}

// settled waits until every goroutine of the ended connections is gone, then checks the rest.
func (v *victim) settled() {
	v.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(wait); runtime.NumGoroutine() > v.goroutines; {
		<-tick.C
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			v.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), v.goroutines, buf[:runtime.Stack(buf, true)])
		}
	}
	v.unharmed()
	exec(v.T, v.see, "SET lock_timeout = '5s'")
	exec(v.T, v.see, "INSERT INTO t VALUES (1, 'x'), (2, 'y')") // no reservation is left
	exec(v.T, v.see, "DELETE FROM t")
	wantOne(v.T, v.see, "2", "SELECT count(*) FROM pg_stat_activity")
	exec(v.T, v.witness, "COMMIT")
	wantOne(v.T, v.see, "1", "SELECT count(*) FROM t")
}

// rawConn is a connection on which a test says what it likes.
type rawConn struct {
	v  *victim
	nc *net.TCPConn
	fe *pgproto3.Frontend
}

func (v *victim) dial() *rawConn {
	v.Helper()
	nc, err := net.DialTimeout("tcp", v.c.nodes[0].PGAddr(), wait)
	if err != nil {
		v.Fatal(err)
	}
	if err := nc.SetDeadline(time.Now().Add(wait)); err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { nc.Close() })
	return &rawConn{v: v, nc: nc.(*net.TCPConn), fe: pgproto3.NewFrontend(nc, nc)}
}

// send sends bytes as they are. The server may have hung up already.
func (r *rawConn) send(b []byte) { _, _ = r.nc.Write(b) }

func (r *rawConn) messages(msgs ...pgproto3.FrontendMessage) {
	r.v.Helper()
	for _, m := range msgs {
		r.fe.Send(m)
	}
	if err := r.fe.Flush(); err != nil {
		r.v.Fatal(err)
	}
}

// login opens a session.
func (v *victim) login() *rawConn {
	v.Helper()
	r := v.dial()
	r.messages(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "postgres", "database": "postgres"}})
	r.until('Z')
	return r
}

// until reads messages up to one of a type ('Z' ReadyForQuery, 'G' CopyInResponse), and returns the errors on the way.
func (r *rawConn) until(typ byte) (codes []string) {
	r.v.Helper()
	for {
		m, err := r.fe.Receive()
		if err != nil {
			r.v.Fatalf("waiting for %q: %v (errors so far: %v)", typ, err, codes)
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			if m.Message == "" || m.Severity == "" {
				r.v.Errorf("an error without a text: %+v", m)
			}
			codes = append(codes, m.Code)
		case *pgproto3.ReadyForQuery:
			if typ == 'Z' {
				return codes
			}
		case *pgproto3.CopyInResponse:
			if typ == 'G' {
				return codes
			}
		}
	}
}

// end reads until the server hangs up, and returns the last error that it sent.
func (r *rawConn) end() string {
	r.v.Helper()
	code := ""
	for {
		m, err := r.fe.Receive()
		if err != nil {
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				r.v.Fatalf("the connection was not ended (last error %q)", code)
			}
			return code
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			code = e.Code
			if e.Severity != "FATAL" {
				code = "not FATAL: " + code
			}
		}
	}
}

// vanish drops the connection without a word, as a machine that lost its power does once it is up again.
func (r *rawConn) vanish() {
	_ = r.nc.SetLinger(0)
	_ = r.nc.Close()
}

// frame makes a message: its type, a length that may lie, its body.
func frame(typ byte, length int, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{typ}, uint32(length))
	return append(b, body...)
}

func startup(length int, code uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(length))
	return append(binary.BigEndian.AppendUint32(b, code), body...)
}

const protocol30 = 3 << 16

// TestGarbageBeforeLogin: whatever comes instead of a start-up packet, the connection ends, with an error where one can
// be sent.
func TestGarbageBeforeLogin(t *testing.T) {
	v := newVictim(t)
	random := rand.New(rand.NewSource(1))
	noise := make([]byte, 4096)
	random.Read(noise)
	for _, tc := range []struct {
		name  string
		bytes []byte
		want  string // "": hung up without a word
		close bool   // the client stops sending after the bytes
	}{
		{"nothing", nil, "", true},
		{"one byte", []byte{0}, "", true},
		{"half a length", []byte{0, 0}, "", true},
		{"noise", noise, "", false},
		{"all ones", bytes.Repeat([]byte{0xff}, 64), "", false},
		{"zeros", make([]byte, 64), "", false},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "", false},
		{"TLS without asking", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "", true},
		{"length 4", []byte{0, 0, 0, 4}, "", false},
		{"negative length", startup(-1, protocol30, ""), "", false},
		{"too long", startup(1<<20, protocol30, "user\x00"), "", false},
		{"cut short", startup(100, protocol30, "user\x00post"), "", true},
		{"protocol 1", startup(8, 1<<16, ""), "0A000", false},
		{"protocol 4", startup(8, 4<<16, ""), "0A000", false},
		{"no terminator", startup(8+9, protocol30, "user\x00post"), "08P01", false},
		{"no user", startup(9, protocol30, "\x00"), "28000", false},
		{"two encryption requests", append(startup(8, 80877103, ""), startup(8, 80877103, "")...), "", true},
		{"cancel of nobody", startup(16, 80877102, "\x00\x00\x00\x63\x00\x00\x00\x00"), "", false},
		{"short cancel", startup(9, 80877102, "\x00"), "", false},
		{"bad option", startup(8+len("user\x00postgres\x00consistency\x00most\x00\x00"), protocol30, "user\x00postgres\x00consistency\x00most\x00\x00"), "22023", false},
		{"unknown option", startup(8+len("user\x00postgres\x00nonsense\x00most\x00\x00"), protocol30, "user\x00postgres\x00nonsense\x00most\x00\x00"), "42704", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := *v
			w.T = t
			r := w.dial()
			r.send(tc.bytes)
			if tc.close {
				if err := r.nc.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			// What comes back must be errors, or the N that declines encryption.
			b, err := io.ReadAll(r.nc)
			if len(b) > 0 && b[0] == 'N' {
				b = b[1:]
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				t.Fatal("the connection was not ended")
			}
			code := ""
			for fe := pgproto3.NewFrontend(bytes.NewReader(b), nil); ; {
				m, err := fe.Receive()
				if errors.Is(err, io.ErrUnexpectedEOF) { // how pgproto3 says that nothing more came
					break
				}
				if err != nil {
					t.Fatalf("the server answered %q: %v", b, err)
				}
				switch m := m.(type) {
				case *pgproto3.AuthenticationOk:
				case *pgproto3.ErrorResponse:
					if code = m.Code; m.Severity != "FATAL" {
						t.Errorf("%s %s, want FATAL", m.Severity, m.Code)
					}
				default:
					t.Errorf("the server sent %#v", m)
				}
			}
			if code != tc.want && tc.want != "" {
				t.Errorf("got %q (%q), want %q", code, b, tc.want)
			}
			w.unharmed()
		})
	}
	v.settled()
}

// TestGarbageAfterLogin: what is no message ends the session; a bad message in a good frame is an error, and the
// session lives where the frames are still known.
func TestGarbageAfterLogin(t *testing.T) {
	v := newVictim(t)
	noise := make([]byte, 4096)
	rand.New(rand.NewSource(2)).Read(noise)
	noise[0] = 0xfe
	for _, tc := range []struct {
		name  string
		bytes []byte
		want  string
		lives bool // after a Sync, the session goes on
	}{
		{"noise", noise, "08P01", false},
		{"unknown type", frame('z', 4, ""), "08P01", false},
		{"type zero", frame(0, 4, ""), "08P01", false},
		{"length 3", frame('Q', 3, ""), "08P01", false},
		{"negative length", frame('Q', -5, ""), "08P01", false},
		{"two gigabytes", frame('Q', 1<<31-1, "SELECT 1"), "08P01", false},
		{"Sync of a megabyte", frame('S', 1<<20, ""), "08P01", false},
		{"query without an end", frame('Q', 4+8, "SELECT 1"), "08P01", true},
		{"empty query body", frame('Q', 4, ""), "08P01", true},
		{"query with a zero in it", frame('Q', 4+10, "SELECT\x00 1\x00"), "08P01", true},
		{"query that is not UTF-8", frame('Q', 4+12, "SELECT '\xff\xfe'\x00"), "22021", true},
		{"truncated Parse", frame('P', 4+3, "a\x00S"), "08P01", true},
		{"Parse with too many types", frame('P', 4+12, "\x00SELECT 1\x00\x7f\xff"), "08P01", true},
		{"truncated Bind", frame('B', 4+4, "\x00\x00\x00\x01"), "08P01", true},
		{"Bind with a length of -2", frame('B', 4+12, "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00"), "08P01", true},
		{"Bind with a length beyond its end", frame('B', 4+12, "\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff\x00\x00"), "08P01", true},
		{"Bind of nothing", frame('B', 4+8, "\x00no\x00\x00\x00\x00\x00"), "08P01", true},
		{"Describe of what", frame('D', 4+2, "x\x00"), "08P01", true},
		{"Close of what", frame('C', 4+2, "x\x00"), "08P01", true},
		{"truncated Execute", frame('E', 4+2, "\x00\x00"), "08P01", true},
		{"Execute of no portal", frame('E', 4+8, "nope"+"\x00\x00\x00\x00\x00"[:4]), "08P01", true},
		{"function call", frame('F', 4+8, "\x00\x00\x00\x01\x00\x00\x00\x00"), "", true},
		{"password out of turn", frame('p', 4+7, "secret\x00"), "08P01", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := *v
			w.T = t
			r := w.login()
			defer r.nc.Close()
			r.send(tc.bytes)
			if tc.lives {
				// Whether the server waits for a Sync depends on the message; in any case the session answers.
				r.send(frame('S', 4, ""))
				codes := r.until('Z')
				if len(codes) == 0 || tc.want != "" && codes[0] != tc.want {
					t.Errorf("errors %v, want %q", codes, tc.want)
				}
				r.send(frame('Q', 4+9, "SELECT 7\x00"))
				r.answers("7")
				return
			}
			if code := r.end(); code != tc.want {
				t.Errorf("got %q, want %q", code, tc.want)
			}
			w.unharmed()
		})
	}
	v.settled()
}

// answers reads until a row with a value has come and the server is ready again.
func (r *rawConn) answers(want string) {
	r.v.Helper()
	got := ""
	for {
		m, err := r.fe.Receive()
		if err != nil {
			r.v.Fatalf("waiting for %s: %v", want, err)
		}
		switch m := m.(type) {
		case *pgproto3.DataRow:
			got = string(m.Values[0])
		case *pgproto3.ErrorResponse:
			r.v.Fatalf("waiting for %s: %s %s", want, m.Code, m.Message)
		case *pgproto3.ReadyForQuery:
			if got == want {
				return
			}
		}
	}
}

// TestUnknownTypes: types and formats that nobody knows are errors of the statement, not of the session.
func TestUnknownTypes(t *testing.T) {
	v := newVictim(t)
	r := v.login()
	for _, tc := range []struct {
		name string
		msgs []pgproto3.FrontendMessage
		want string
	}{
		{"parameter type", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1", ParameterOIDs: []uint32{999999}}}, "42704"},
		{"parameter format", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::int"},
			&pgproto3.Bind{Parameters: [][]byte{{1}}, ParameterFormatCodes: []int16{7}}}, "22023"},
		{"result format", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Bind{ResultFormatCodes: []int16{7}}, &pgproto3.Execute{}}, "22023"},
		{"binary int4 of 3 bytes", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::int4"},
			&pgproto3.Bind{Parameters: [][]byte{{1, 2, 3}}, ParameterFormatCodes: []int16{1}}}, "22P03"},
		{"binary array of lies", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::int4[]"},
			&pgproto3.Bind{Parameters: [][]byte{{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1}}, ParameterFormatCodes: []int16{1}}}, "54000"},
		{"binary numeric of lies", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::numeric"},
			&pgproto3.Bind{Parameters: [][]byte{{0x7f, 0xff, 0, 0, 0, 0, 0, 0}}, ParameterFormatCodes: []int16{1}}}, "22P03"},
		{"text that is not UTF-8", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::text"},
			&pgproto3.Bind{Parameters: [][]byte{{0xff, 0xfe}}}}, "22021"},
		{"text with a zero", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::text"},
			&pgproto3.Bind{Parameters: [][]byte{{'a', 0, 'b'}}}}, "22021"},
		{"a number that is none", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::int4"},
			&pgproto3.Bind{Parameters: [][]byte{[]byte("seven")}}}, "22P02"},
		{"too few parameters", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "SELECT $1::int4"}, &pgproto3.Bind{}}, "08P01"},
		{"a type in SQL", []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "CREATE TABLE x (a nonsense)"}, &pgproto3.Bind{}, &pgproto3.Execute{}}, "42704"},
		{"a statement nobody prepared", []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "no"}}, "26000"},
		{"a portal nobody bound", []pgproto3.FrontendMessage{&pgproto3.Execute{Portal: "no"}}, "34000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.v = &victim{T: t, c: v.c}
			r.messages(append(tc.msgs, &pgproto3.Sync{})...)
			if codes := r.until('Z'); len(codes) != 1 || codes[0] != tc.want {
				t.Errorf("errors %v, want %s", codes, tc.want)
			}
			r.messages(&pgproto3.Query{String: "SELECT 7"})
			r.answers("7")
		})
	}
	r.nc.Close()
	v.settled()
}

// binaryCopy is COPY's binary data with rows of (id int4, v text).
func binaryCopy(rows int) []byte {
	b := append([]byte("PGCOPY\n\xff\r\n\x00"), make([]byte, 8)...)
	for i := 1; i <= rows; i++ {
		b = append(b, 0, 2, 0, 0, 0, 4)
		b = binary.BigEndian.AppendUint32(b, uint32(i))
		b = append(b, 0, 0, 0, 1, 'x')
	}
	return append(b, 0xff, 0xff)
}

// TestTruncatedCopy: COPY data that ends in the middle of a row, in each format, leaves nothing; nor does a client that
// gives up or vanishes.
func TestTruncatedCopy(t *testing.T) {
	v := newVictim(t)
	whole := binaryCopy(3)
	for _, tc := range []struct {
		name, sql string
		data      []byte
		want      string
	}{
		{"text, too few columns", "COPY t FROM STDIN", []byte("1\tx\n2"), "22P04"},
		{"text, cut in an escape", "COPY t FROM STDIN", []byte("1\tx\nseven\ty\n"), "22P02"},
		{"text, too many columns", "COPY t FROM STDIN", []byte("1\tx\n2\ty\tz\n"), "22P04"},
		{"text, not UTF-8", "COPY t FROM STDIN", []byte("1\tx\n2\t\xff\xfe\n"), "22021"},
		{"csv, open quote", "COPY t FROM STDIN WITH (FORMAT csv)", []byte("1,x\n2,\"y\n"), "22P04"},
		{"csv, too few columns", "COPY t FROM STDIN WITH (FORMAT csv)", []byte("1,x\n2\n"), "22P04"},
		{"csv, header that does not match", "COPY t FROM STDIN WITH (FORMAT csv, HEADER match)", []byte("id,w\n1,x\n"), "22P04"},
		{"binary, nothing", "COPY t FROM STDIN WITH (FORMAT binary)", nil, "22P04"},
		{"binary, half a signature", "COPY t FROM STDIN WITH (FORMAT binary)", whole[:7], "22P04"},
		{"binary, no header", "COPY t FROM STDIN WITH (FORMAT binary)", whole[:13], "22P04"},
		{"binary, half a row", "COPY t FROM STDIN WITH (FORMAT binary)", whole[:19+15+6], "22P04"},
		{"binary, half a field", "COPY t FROM STDIN WITH (FORMAT binary)", whole[:19+15+8], "22P04"},
		{"binary, a length of -7", "COPY t FROM STDIN WITH (FORMAT binary)", append(append([]byte{}, whole[:19]...), 0, 2, 0xff, 0xff, 0xff, 0xf9), "22P04"},
		{"binary, a field of 2 GB", "COPY t FROM STDIN WITH (FORMAT binary)", append(append([]byte{}, whole[:19]...), 0, 2, 0x7f, 0xff, 0xff, 0xff), "22P04"},
		{"binary, three columns", "COPY t FROM STDIN WITH (FORMAT binary)", append(append([]byte{}, whole[:19]...), 0, 3), "22P04"},
		{"duplicate key", "COPY t FROM STDIN", []byte("1\tx\n2\ty\n1\tz\n"), "23505"},
	} {
		for _, explicit := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", tc.name, explicit), func(t *testing.T) {
				w := *v
				w.T = t
				r := w.login()
				defer r.nc.Close()
				if explicit {
					r.messages(&pgproto3.Query{String: "BEGIN; INSERT INTO t VALUES (100, 'mine')"})
					r.until('Z')
				}
				r.messages(&pgproto3.Query{String: tc.sql})
				r.until('G')
				for b := tc.data; len(b) > 0; { // the borders of messages are no borders of rows
					n := min(len(b), 5)
					r.fe.Send(&pgproto3.CopyData{Data: b[:n]})
					b = b[n:]
				}
				r.messages(&pgproto3.CopyDone{})
				if codes := r.until('Z'); len(codes) != 1 || codes[0] != tc.want {
					t.Errorf("errors %v, want %s", codes, tc.want)
				}
				if explicit {
					r.messages(&pgproto3.Query{String: "COMMIT"})
					r.until('Z')
				}
				r.messages(&pgproto3.Query{String: "SELECT 7"})
				r.answers("7")
				w.unharmed()
			})
		}
	}
	t.Run("given up", func(t *testing.T) {
		w := *v
		w.T = t
		r := w.login()
		defer r.nc.Close()
		r.messages(&pgproto3.Query{String: "COPY t FROM STDIN"})
		r.until('G')
		r.messages(&pgproto3.CopyData{Data: []byte("1\tx\n")}, &pgproto3.CopyFail{Message: "enough"})
		if codes := r.until('Z'); len(codes) != 1 || codes[0] != "57014" {
			t.Errorf("errors %v, want 57014", codes)
		}
		w.unharmed()
	})
	t.Run("a query instead of data", func(t *testing.T) {
		w := *v
		w.T = t
		r := w.login()
		defer r.nc.Close()
		r.messages(&pgproto3.Query{String: "COPY t FROM STDIN"})
		r.until('G')
		r.messages(&pgproto3.CopyData{Data: []byte("1\tx\n")}, &pgproto3.Query{String: "SELECT 1"})
		if code := r.end(); !strings.Contains(code, "08P01") && code != "" {
			t.Errorf("got %q", code)
		}
		w.unharmed()
	})
	for _, how := range []string{"vanished", "hung up", "in the middle of a message"} {
		t.Run(how, func(t *testing.T) {
			w := *v
			w.T = t
			r := w.login()
			r.messages(&pgproto3.Query{String: "COPY t FROM STDIN"})
			r.until('G')
			r.messages(&pgproto3.CopyData{Data: []byte("1\tx\n2\ty\n")})
			switch how {
			case "vanished":
				r.vanish()
			case "hung up":
				r.nc.Close()
			default:
				r.send(frame('d', 1000, "3\tz\n"))
				r.nc.Close()
			}
		})
	}
	v.settled()
}

// TestOversizedMessages: a message beyond the limit ends the connection before its body is taken; a statement and a value
// of some megabytes are fine.
func TestOversizedMessages(t *testing.T) {
	v := newVictim(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 20 {
		r := v.login()
		r.send(frame('Q', 1<<30-1, "SELECT")) // allowed, and never sent
		r.vanish()
		r = v.login()
		r.send(frame('d', 1<<31-1, ""))
		if code := r.end(); code != "08P01" {
			t.Errorf("got %q, want 08P01", code)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 200<<20 {
		t.Errorf("lengths that were only claimed took %d MB", took>>20)
	}
	r := v.login()
	r.messages(&pgproto3.Query{String: "SELECT length('" + strings.Repeat("x", 5<<20) + "')"})
	r.answers(fmt.Sprint(5 << 20))
	r.nc.Close()
	v.settled()
}

// TestClientVanishes: a client that goes away in the middle of anything leaves no row, no reservation and no goroutine.
func TestClientVanishes(t *testing.T) {
	v := newVictim(t)
	for _, how := range []func(*rawConn){(*rawConn).vanish, func(r *rawConn) { r.nc.Close() }, func(r *rawConn) { r.send(frame('Q', 100, "half")); r.vanish() }} {
		// In the middle of a transaction, in the simple and in the extended protocol.
		r := v.login()
		r.messages(&pgproto3.Query{String: "BEGIN"}, &pgproto3.Query{String: "INSERT INTO t VALUES (1, 'x')"})
		r.until('Z')
		r.until('Z')
		how(r)
		r = v.login()
		r.messages(&pgproto3.Parse{Query: "INSERT INTO t VALUES (2, 'x')"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Flush{})
		for {
			m, err := r.fe.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*pgproto3.CommandComplete); ok {
				break
			}
		}
		how(r) // no Sync was sent: nothing is committed
		// While it waits for a row.
		r = v.login()
		r.messages(&pgproto3.Query{String: "INSERT INTO t VALUES (-1, 'blocked by the witness')"})
		eventually(t, v.see, "1", "SELECT count(*) FROM pg_locks WHERE NOT granted")
		how(r)
		eventually(t, v.see, "0", "SELECT count(*) FROM pg_locks WHERE NOT granted")
		// While a statement runs.
		r = v.login()
		r.messages(&pgproto3.Query{String: "SELECT pg_sleep(600)"})
		eventually(t, v.see, "1", "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep(600)' AND query NOT LIKE '%activity%'")
		how(r)
		// While it is sent more than it reads.
		r = v.login()
		r.messages(&pgproto3.Query{String: "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"})
		if _, err := r.fe.Receive(); err != nil {
			t.Fatal(err)
		}
		how(r)
		eventually(t, v.see, "2", "SELECT count(*) FROM pg_stat_activity")
		v.unharmed()
	}
	// Many at once.
	for range 50 {
		r := v.login()
		r.messages(&pgproto3.Query{String: "BEGIN; INSERT INTO t VALUES (3, 'x') ON CONFLICT DO NOTHING"})
		r.vanish()
	}
	v.settled()
}

// TestTerminatedSession: a session that is ended from outside is told so, and takes its transaction with it.
func TestTerminatedSession(t *testing.T) {
	v := newVictim(t)
	conn, err := pgx.Connect(context.Background(), v.c.url(0))
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "BEGIN")
	exec(t, conn, "INSERT INTO t VALUES (1, 'x')")
	exec(t, v.see, "SELECT pg_terminate_backend($1)", int32(conn.PgConn().PID()))
	if _, err := conn.Exec(context.Background(), "SELECT 1"); sqlstate(err) != "57P01" {
		t.Errorf("got %v, want 57P01", err)
	}
	_ = conn.Close(context.Background())
	v.settled()
}
