package pgwire

import (
	"net"
	"runtime"
	"syscall"
	"time"
)

// A client that is alone and answers at once, as a program does that runs one statement after the other on this machine or
// near it, would spend much of its time on two threads that the kernel puts to sleep and wakes again. So while only one
// connection is in use, and as long as that has paid off, its next message is looked for a moment before it is waited for.

const (
	spinFor   = 100 * time.Microsecond
	spinAfter = 8    // reads of this connection in a row, with none of others between
	spinPause = 1024 // reads at the most until it is tried again where the client does not answer in time
)

// spinner is what a connection knows about looking for its next message.
type spinner struct {
	rc     syscall.RawConn // nil: not for this connection
	once   func(fd uintptr) bool
	buf    []byte
	n      int
	alone  int // reads in a row
	misses int // the last pause after a miss
	pause  int // reads until the next try
}

func (s *spinner) init(nc net.Conn) {
	tc, ok := nc.(*net.TCPConn)
	if !ok || runtime.NumCPU() == 1 {
		return
	}
	rc, err := tc.SyscallConn()
	if err != nil {
		return
	}
	s.rc = rc
	s.once = func(fd uintptr) bool {
		s.n, _ = syscall.Read(int(fd), s.buf)
		return true // never wait
	}
}

// turn notes that something has been read, and whether this connection was the last one before, too.
func (s *spinner) turn(same bool) {
	if same {
		s.alone++
	} else {
		s.alone = 0
	}
}

// read looks for bytes for a moment. It gives 0 if none have come, or if it is for the ordinary read to find out what has.
func (s *spinner) read(p []byte) int {
	if s.rc == nil || s.alone < spinAfter {
		return 0
	}
	if s.pause > 0 {
		s.pause--
		return 0
	}
	s.buf = p
	defer func() { s.buf = nil }()
	for end := time.Now().Add(spinFor); ; {
		s.n = 0
		if err := s.rc.Read(s.once); err != nil {
			return 0
		}
		if s.n > 0 {
			s.misses = 0
			return s.n
		}
		if time.Now().After(end) {
			break
		}
	}
	s.misses = min(2*s.misses+1, spinPause)
	s.pause = s.misses
	return 0
}
