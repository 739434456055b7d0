package copyformat

import (
	"io"

	"layercake/pgerror"
)

const (
	sourceSize = 64 << 10
	maxRow     = 1<<30 - 1 // as PostgreSQL's StringInfo
)

// source is a buffered stream whose unread bytes lie together: buf[pos:end].
type source struct {
	r        io.Reader
	buf      []byte
	pos, end int
	err      error // of r; what came before it is still to be read
}

// more reads at least one further byte behind end, growing the buffer when what is unread fills it, and says whether it
// could. Positions relative to pos stay valid; slices of buf do not.
func (s *source) more() (bool, error) {
	if s.err != nil {
		return false, nil
	}
	if s.pos > 0 && (s.end == len(s.buf) || s.pos == s.end) {
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		if s.end >= maxRow {
			return false, pgerror.New(pgerror.ProgramLimitExceeded, "a row of COPY data exceeds the limit of %d bytes", maxRow)
		}
		bigger := make([]byte, min(max(2*len(s.buf), sourceSize), maxRow))
		copy(bigger, s.buf[:s.end])
		s.buf = bigger
	}
	for empty := 0; ; empty++ {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err != nil {
			s.err = err
		}
		switch {
		case n > 0:
			return true, nil
		case s.err != nil:
			return false, nil
		case empty > 100:
			s.err = io.ErrNoProgress
			return false, nil
		}
	}
}

// need reads until n bytes are unread, and says whether they are.
func (s *source) need(n int) (bool, error) {
	for s.end-s.pos < n {
		ok, err := s.more()
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// fault is what ended the stream, nil if it was its proper end.
func (s *source) fault() error {
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

// drain throws the rest of the stream away, and returns what ended it.
func (s *source) drain() error {
	for {
		s.pos, s.end = 0, 0
		ok, err := s.more()
		if err != nil {
			return err
		}
		if !ok {
			return s.fault()
		}
	}
}

// release gives the memory of an exceptionally long row back.
func (s *source) release() {
	const keep = 16 * sourceSize
	if len(s.buf) > keep && s.end-s.pos <= sourceSize {
		small := make([]byte, sourceSize)
		s.end = copy(small, s.buf[s.pos:s.end])
		s.buf, s.pos = small, 0
	}
}
