package pgwire

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/catalog"
	"layercake/pgerror"
)

const (
	flushSize = 32 << 10 // results are sent in pieces of about this size
	outKeep   = 16 << 10 // what an idle connection keeps of its write buffer
)

// send appends a message that is not worth an encoder of our own.
func (c *conn) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(c.out)
	if err != nil {
		c.log.Error("cannot encode a message", "err", err)
		return
	}
	c.out = out
}

// flush writes what has been appended.
func (c *conn) flush() error {
	if c.writeErr != nil {
		c.out = c.out[:0]
		return errGone
	}
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.nc.Write(c.out)
	if cap(c.out) > 2*flushSize {
		c.out = nil
	}
	c.out = c.out[:0]
	if err != nil {
		c.writeErr = err
		c.log.Debug("write failed", "err", err)
		return errGone
	}
	return nil
}

// flushFull flushes when enough has gathered.
func (c *conn) flushFull() error {
	if len(c.out) < flushSize {
		return c.writeError()
	}
	return c.flush()
}

func (c *conn) writeError() error {
	if c.writeErr != nil {
		return errGone
	}
	return nil
}

// ready sends what waited for this moment, ReadyForQuery, and all of it to the client, in one write.
func (c *conn) ready() error {
	status := c.sess.TxStatus()
	c.mu.Lock()
	c.takePending(status == 'I')
	c.mu.Unlock()
	c.out = append(c.out, 'Z', 0, 0, 0, 5, status)
	err := c.flush()
	if cap(c.out) > outKeep {
		c.out = nil
	}
	return err
}

// begin and finish frame a message in b.
func beginMessage(b []byte, typ byte) ([]byte, int) {
	return append(b, typ, 0, 0, 0, 0), len(b) + 1
}

func finishMessage(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// emptyMessage appends a message without a body.
func (c *conn) emptyMessage(typ byte) {
	c.out = append(c.out, typ, 0, 0, 0, 4)
}

func appendCString(b []byte, s string) []byte {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	b = append(b, s...)
	return append(b, 0)
}

func (c *conn) sendBackendKeyData() {
	c.send(&pgproto3.BackendKeyData{ProcessID: c.pid, SecretKey: c.key})
}

func (c *conn) sendParameterStatus(p ParameterStatus) {
	b, start := beginMessage(c.out, 'S')
	b = appendCString(b, p.Name)
	b = appendCString(b, p.Value)
	c.out = finishMessage(b, start)
}

func (c *conn) sendNotification(n Notification) {
	b, start := beginMessage(c.out, 'A')
	b = binary.BigEndian.AppendUint32(b, n.PID)
	b = appendCString(b, n.Channel)
	b = appendCString(b, n.Payload)
	c.out = finishMessage(b, start)
}

func (c *conn) sendError(e *pgerror.Error)  { c.sendFields('E', e, "ERROR") }
func (c *conn) sendNotice(e *pgerror.Error) { c.sendFields('N', e, "NOTICE") }

// sendFields appends an ErrorResponse or NoticeResponse.
func (c *conn) sendFields(typ byte, e *pgerror.Error, severity string) {
	if e.Severity != "" {
		severity = e.Severity
	}
	code := e.Code
	if len(code) != 5 {
		code = pgerror.InternalError
	}
	b, start := beginMessage(c.out, typ)
	field := func(kind byte, s string) {
		if s == "" && kind != 'M' {
			return
		}
		b = append(b, kind)
		b = appendCString(b, strings.ToValidUTF8(s, "\uFFFD"))
	}
	position := func(kind byte, n int) {
		if n > 0 && n <= math.MaxInt32 {
			b = append(b, kind)
			b = appendInt(b, int64(n))
			b = append(b, 0)
		}
	}
	field('S', severity)
	field('V', severity)
	field('C', code)
	field('M', e.Message)
	field('D', e.Detail)
	field('H', e.Hint)
	position('P', e.Position)
	position('p', e.InternalPosition)
	field('q', e.InternalQuery)
	field('W', e.Where)
	field('s', e.Schema)
	field('t', e.Table)
	field('c', e.Column)
	field('d', e.DataType)
	field('n', e.Constraint)
	b = append(b, 0)
	c.out = finishMessage(b, start)
}

// sendRowDescription appends RowDescription, or NoData if there are no columns at all (nil).
func (c *conn) sendRowDescription(cols []Column) {
	if cols == nil {
		c.emptyMessage('n')
		return
	}
	b, start := beginMessage(c.out, 'T')
	b = binary.BigEndian.AppendUint16(b, uint16(len(cols)))
	for i := range cols {
		col := &cols[i]
		b = appendCString(b, col.Name)
		b = binary.BigEndian.AppendUint32(b, col.TableOID)
		b = binary.BigEndian.AppendUint16(b, uint16(col.AttNum))
		b = binary.BigEndian.AppendUint32(b, col.Type)
		b = binary.BigEndian.AppendUint16(b, uint16(typeLen(col.Type)))
		b = binary.BigEndian.AppendUint32(b, uint32(col.Typmod))
		b = binary.BigEndian.AppendUint16(b, uint16(col.Format))
	}
	c.out = finishMessage(b, start)
}

// sendRow appends a DataRow. Nothing is appended if a value cannot be encoded.
func (c *conn) sendRow(cols []Column, values []catalog.Value, out *catalog.OutputSettings) error {
	if len(values) != len(cols) {
		return pgerror.New(pgerror.InternalError, "a row of %d values for %d columns", len(values), len(cols))
	}
	b, start := beginMessage(c.out, 'D')
	b = binary.BigEndian.AppendUint16(b, uint16(len(values)))
	for i := range values {
		v, col := &values[i], &cols[i]
		if v.Kind == catalog.Null {
			b = append(b, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		if col.Format == 0 {
			b = catalog.AppendText(b, col.Type, col.Typmod, *v, out)
		} else {
			var err error
			if b, err = catalog.AppendBinary(b, col.Type, col.Typmod, *v); err != nil {
				return err
			}
		}
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	if len(b)-start > DefaultMaxMessage {
		return pgerror.New(pgerror.ProgramLimitExceeded, "a result row of %d bytes exceeds the limit of %d bytes", len(b)-start, DefaultMaxMessage)
	}
	c.out = finishMessage(b, start)
	return nil
}
