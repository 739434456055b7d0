package pgwire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"layercake/pgerror"
)

const (
	inboxSize    = 8 << 10  // what an idle connection keeps
	inboxKeep    = 64 << 10 // the most kept between messages while a client sends big ones
	inboxStep    = 64 << 10 // the first step of growth towards a big message
	headerSize   = 5        // type byte and length
	smallMessage = 10_000   // the limit on messages that have no reason to be long (PostgreSQL's PQ_SMALL_MESSAGE_LIMIT)
)

// inbox holds what was received and not yet read: buf[r:w].
type inbox struct {
	buf  []byte
	r, w int
	left int // bytes of the last message's body that have not been handed out (CopyData)
	max  int // limit of a message's length
}

func (b *inbox) buffered() int { return b.w - b.r }

// shrink gives back the memory of a big message once it has been read.
func (b *inbox) shrink() {
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
	if cap(b.buf) > inboxKeep && b.buffered() <= inboxSize {
		small := make([]byte, inboxSize)
		b.w = copy(small, b.buf[b.r:b.w])
		b.buf, b.r = small, 0
	}
}

// makeRoom makes space for at least one more byte of a message of n bytes that begins at r. It grows by doubling, so
// that a length alone takes no memory: the bytes must come first.
func (b *inbox) makeRoom(n int) {
	size := len(b.buf)
	switch {
	case b.buf == nil:
		b.buf = make([]byte, inboxSize)
		return
	case n <= size:
		if b.r > 0 && b.r+n > size {
			b.w = copy(b.buf, b.buf[b.r:b.w])
			b.r = 0
		}
		return
	case b.w < size:
		return
	case b.r > 0:
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
		return
	}
	bigger := make([]byte, min(n, max(2*size, inboxStep)))
	b.w = copy(bigger, b.buf[b.r:b.w])
	b.buf, b.r = bigger, 0
}

// ensure reads until n bytes are at hand.
func (c *conn) ensure(n int) error {
	for c.in.buffered() < n {
		c.in.makeRoom(n)
		got, err := c.read(c.in.buf[c.in.w:])
		if err != nil {
			return err
		}
		c.in.w += got
		if c.mode == modeIdle {
			c.mode = modeBatch // a message has begun: what is pending waits for ReadyForQuery
		}
	}
	return nil
}

// header reads a message's header and checks its length, which it returns without the four bytes of itself.
func (c *conn) header() (typ byte, n int, err error) {
	if err := c.skipBody(); err != nil {
		return 0, 0, err
	}
	c.in.shrink()
	if err := c.ensure(headerSize); err != nil {
		return 0, 0, err
	}
	typ = c.in.buf[c.in.r]
	length := binary.BigEndian.Uint32(c.in.buf[c.in.r+1:])
	limit := c.in.max
	switch typ {
	case 'C', 'D', 'E', 'H', 'S', 'X', 'c', 'f':
		limit = min(limit, smallMessage)
	case 'B', 'F', 'P', 'Q', 'd', 'p':
	default:
		return 0, 0, pgerror.Fatal(pgerror.ProtocolViolation, "invalid frontend message type %d", typ)
	}
	if length < 4 || uint64(length) > uint64(limit) {
		return 0, 0, pgerror.Fatal(pgerror.ProtocolViolation, "invalid message length")
	}
	c.in.r += headerSize
	return typ, int(length) - 4, nil
}

// next reads a message. Its body is valid until the next read from the connection.
func (c *conn) next() (typ byte, body []byte, err error) {
	typ, n, err := c.header()
	if err != nil {
		return 0, nil, err
	}
	body, err = c.body(n)
	return typ, body, err
}

// body reads the n bytes that follow.
func (c *conn) body(n int) ([]byte, error) {
	if err := c.ensure(n); err != nil {
		return nil, err
	}
	body := c.in.buf[c.in.r : c.in.r+n : c.in.r+n]
	c.in.r += n
	return body, nil
}

// skipBody throws away what was not read of a message that is handed out piece by piece.
func (c *conn) skipBody() error {
	for c.in.left > 0 {
		if c.in.r == c.in.w {
			c.in.r, c.in.w = 0, 0
			if err := c.ensure(1); err != nil {
				return err
			}
		}
		n := min(c.in.left, c.in.buffered())
		c.in.r += n
		c.in.left -= n
	}
	return nil
}

// syncFollows says whether a whole next message is at hand and is Sync.
func (b *inbox) syncFollows() bool {
	return b.buffered() >= headerSize && b.buf[b.r] == 'S'
}

// fields decodes a message body, as pq_getmsgbyte and its sisters do. The first thing that does not fit sets err, and
// everything after it is empty.
type fields struct {
	b   []byte
	err error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = pgerror.New(pgerror.ProtocolViolation, format, args...)
	}
	f.b = nil
}

// cstring returns a NUL-terminated string's bytes.
func (f *fields) cstring() []byte {
	i := bytes.IndexByte(f.b, 0)
	if i < 0 {
		f.fail("invalid string in message")
		return nil
	}
	s := f.b[:i]
	f.b = f.b[i+1:]
	return s
}

func (f *fields) byte() byte {
	if len(f.b) < 1 {
		f.fail("no data left in message")
		return 0
	}
	v := f.b[0]
	f.b = f.b[1:]
	return v
}

func (f *fields) uint16() uint16 {
	if len(f.b) < 2 {
		f.fail("insufficient data left in message")
		return 0
	}
	v := binary.BigEndian.Uint16(f.b)
	f.b = f.b[2:]
	return v
}

func (f *fields) uint32() uint32 {
	if len(f.b) < 4 {
		f.fail("insufficient data left in message")
		return 0
	}
	v := binary.BigEndian.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

func (f *fields) bytes(n int) []byte {
	if n < 0 || len(f.b) < n {
		f.fail("insufficient data left in message")
		return nil
	}
	v := f.b[:n:n]
	f.b = f.b[n:]
	return v
}

// end checks that nothing is left over, and returns the first error.
func (f *fields) end() error {
	if f.err == nil && len(f.b) != 0 {
		f.fail("invalid message format")
	}
	return f.err
}

// checkUTF8 returns 22021 if s is not valid UTF-8 or has a NUL in it.
func checkUTF8(s []byte) error {
	if utf8.Valid(s) && bytes.IndexByte(s, 0) < 0 {
		return nil
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			// As PostgreSQL shows it: the bytes that the first one promises, as far as they are there.
			width := 1
			switch {
			case s[i]&0xf8 == 0xf0:
				width = 4
			case s[i]&0xf0 == 0xe0:
				width = 3
			case s[i]&0xe0 == 0xc0:
				width = 2
			}
			text := ""
			for _, b := range s[i:min(i+width, len(s))] {
				text += " 0x" + string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15])
			}
			return pgerror.New(pgerror.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8":%s`, text)
		}
		i += n
	}
	return nil
}
