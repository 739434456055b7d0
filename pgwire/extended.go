package pgwire

import (
	"encoding/binary"

	"layercake/pgerror"
)

// bindMessage is a decoded Bind, kept by the connection for its slices. They point into the read buffer.
type bindMessage struct {
	formats, results []int16
	params           [][]byte
	types            []uint32 // Parse's
}

// nameKeep is how long a name may be that is kept between messages (PostgreSQL cuts longer ones).
const nameKeep = 63

// bindKeep is how many parameters' slices are kept between messages.
const bindKeep = 256

func (b *bindMessage) reset() {
	if cap(b.params) > bindKeep || cap(b.formats) > bindKeep || cap(b.results) > bindKeep || cap(b.types) > bindKeep {
		*b = bindMessage{}
	}
	b.formats, b.results, b.params, b.types = b.formats[:0], b.results[:0], b.params[:0], b.types[:0]
}

// described remembers the columns of the portal that the last message described: Execute mostly follows Describe, and
// need not ask again.
type described struct {
	describedCols   []Column
	describedPortal string
	describedValid  bool
}

// name returns b as a string, the same one as before where it has not changed. Kind is 0 for a statement, 1 for a
// portal.
func (c *conn) name(kind int, b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if string(b) == c.names[kind] {
		return c.names[kind]
	}
	s := string(b)
	if len(s) <= nameKeep {
		c.names[kind] = s
	}
	return s
}

func (c *conn) parse(body []byte) error {
	c.describedValid = false
	c.bind.reset()
	f := fields{b: body}
	nameBytes, text := f.cstring(), f.cstring()
	for range f.uint16() {
		if f.err != nil {
			break
		}
		c.bind.types = append(c.bind.types, f.uint32())
	}
	if err := f.end(); err != nil {
		return err
	}
	if err := checkUTF8(nameBytes); err != nil {
		return err
	}
	if err := checkUTF8(text); err != nil {
		return err
	}
	err := c.sess.Parse(c.begin(), c.name(0, nameBytes), string(text), c.bind.types)
	if err := c.done(err); err != nil {
		return err
	}
	c.emptyMessage('1')
	return nil
}

// bindPortal handles Bind.
func (c *conn) bindPortal(body []byte) error {
	c.describedValid = false
	b := &c.bind
	b.reset()
	f := fields{b: body}
	portal, statement := f.cstring(), f.cstring()
	var err error
	b.formats = formatCodes(&f, b.formats, &err)
	n := int(f.uint16())
	// The count alone must not take memory: each parameter has at least its length.
	if f.err == nil && len(f.b) < 4*n {
		f.fail("insufficient data left in message")
	}
	if f.err == nil && len(b.formats) > 1 && len(b.formats) != n {
		return pgerror.New(pgerror.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(b.formats), n)
	}
	for i := 0; i < n && f.err == nil; i++ {
		length := int(int32(f.uint32()))
		if length == -1 {
			b.params = append(b.params, nil)
			continue
		}
		p := f.bytes(length)
		if p == nil {
			p = []byte{}
		}
		if err == nil && f.err == nil && b.format(i) == 0 {
			err = checkUTF8(p)
		}
		b.params = append(b.params, p)
	}
	b.results = formatCodes(&f, b.results, &err)
	if ferr := f.end(); ferr != nil {
		return ferr
	}
	if err == nil {
		err = checkUTF8(portal)
	}
	if err == nil {
		err = checkUTF8(statement)
	}
	if err != nil {
		return err
	}
	err = c.sess.Bind(c.begin(), c.name(1, portal), c.name(0, statement), b.formats, b.params, b.results)
	clear(b.params) // or they would hold on to the buffer of a big message
	if err := c.done(err); err != nil {
		return err
	}
	c.emptyMessage('2')
	return nil
}

// format returns the format code of parameter i.
func (b *bindMessage) format(i int) int16 {
	switch {
	case len(b.formats) == 0:
		return 0
	case len(b.formats) == 1:
		return b.formats[0]
	}
	return b.formats[i]
}

// formatCodes reads a counted list of format codes; the first that is neither text nor binary sets err.
func formatCodes(f *fields, codes []int16, err *error) []int16 {
	n := int(f.uint16())
	raw := f.bytes(2 * n)
	if f.err != nil {
		return codes
	}
	for i := 0; i < n; i++ {
		code := int16(binary.BigEndian.Uint16(raw[2*i:]))
		if code != 0 && code != 1 && *err == nil {
			*err = pgerror.New(pgerror.InvalidParameterValue, "unsupported format code: %d", code)
		}
		codes = append(codes, code)
	}
	return codes
}

func (c *conn) describe(body []byte) error {
	c.describedValid = false
	f := fields{b: body}
	kind, nameBytes := f.byte(), f.cstring()
	if err := f.end(); err != nil {
		return err
	}
	if err := checkUTF8(nameBytes); err != nil {
		return err
	}
	switch kind {
	case 'S':
		types, cols, err := c.sess.DescribeStatement(c.begin(), c.name(0, nameBytes))
		if err := c.done(err); err != nil {
			return err
		}
		b, start := beginMessage(c.out, 't')
		b = binary.BigEndian.AppendUint16(b, uint16(len(types)))
		for _, oid := range types {
			b = binary.BigEndian.AppendUint32(b, oid)
		}
		c.out = finishMessage(b, start)
		c.sendRowDescription(cols)
	case 'P':
		portal := c.name(1, nameBytes)
		cols, err := c.sess.DescribePortal(c.begin(), portal)
		if err := c.done(err); err != nil {
			return err
		}
		c.sendRowDescription(cols)
		c.describedCols, c.describedPortal, c.describedValid = cols, portal, true
	default:
		return pgerror.New(pgerror.ProtocolViolation, "invalid DESCRIBE message subtype %d", kind)
	}
	return nil
}

func (c *conn) execute(body []byte) error {
	f := fields{b: body}
	nameBytes := f.cstring()
	maxRows := int(int32(f.uint32()))
	if err := f.end(); err != nil {
		return err
	}
	if err := checkUTF8(nameBytes); err != nil {
		return err
	}
	portal := c.name(1, nameBytes)
	cols := c.describedCols
	known := c.describedValid && c.describedPortal == portal
	c.describedCols, c.describedValid = nil, false
	ctx := c.begin()
	if !known {
		var err error
		if cols, err = c.sess.DescribePortal(ctx, portal); err != nil {
			return c.done(err)
		}
	}
	c.w.start(cols, true)
	err := c.sess.Execute(ctx, portal, max(maxRows, 0), &c.w)
	c.w.stop()
	return c.done(err)
}

// close handles Close of a statement or a portal.
func (c *conn) close(body []byte) error {
	c.describedValid = false
	f := fields{b: body}
	kind, nameBytes := f.byte(), f.cstring()
	if err := f.end(); err != nil {
		return err
	}
	if err := checkUTF8(nameBytes); err != nil {
		return err
	}
	var err error
	switch kind {
	case 'S':
		err = c.sess.CloseStatement(c.begin(), c.name(0, nameBytes))
	case 'P':
		err = c.sess.ClosePortal(c.begin(), c.name(1, nameBytes))
	default:
		return pgerror.New(pgerror.ProtocolViolation, "invalid CLOSE message subtype %d", kind)
	}
	if err := c.done(err); err != nil {
		return err
	}
	c.emptyMessage('3')
	return nil
}
