package replication

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"layercake/replication/core"
)

// long is a message of more than a frame: parts that are in memory, and what is left of a file.
type long struct {
	parts [][]byte
	file  *io.SectionReader // nil: none
}

// take appends as much as fits into n bytes to parts, and says whether that was the last of it.
func (m *long) take(parts [][]byte, n int) (_ [][]byte, last bool, err error) {
	for len(m.parts) > 0 && n > 0 {
		k := min(n, len(m.parts[0]))
		parts = append(parts, m.parts[0][:k])
		n -= k
		if m.parts[0] = m.parts[0][k:]; len(m.parts[0]) == 0 {
			m.parts = m.parts[1:]
		}
	}
	if m.file == nil {
		return parts, len(m.parts) == 0, nil
	}
	if n > 0 {
		b := make([]byte, n) // gRPC keeps it
		k, err := io.ReadFull(m.file, b)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, false, err
		}
		parts = append(parts, b[:k])
	}
	at, err := m.file.Seek(0, io.SeekCurrent)
	return parts, at == m.file.Size(), err
}

func (m *long) size() (n int64) {
	for _, p := range m.parts {
		n += int64(len(p))
	}
	if m.file != nil {
		n += m.file.Size()
	}
	return n
}

// sendParts cuts a long message into frames. Small messages pass between them: acks and questions never wait for a
// large entry. Another long one ends that, until this one is through: messages keep their order.
func (r *Replicator) sendParts(l *link, m *long) error {
	var held []byte
	start := binary.BigEndian.AppendUint64([]byte{frameFirst}, uint64(m.size()))
	for last := false; !last; start = []byte{framePart} {
		var out [][]byte
		var err error
		if out, last, err = m.take([][]byte{start}, maxFrame-len(start)); err != nil {
			return err
		}
		switch {
		case last && start[0] == frameFirst:
			out[0] = []byte{frameWhole} // it is not as long as its parts were counted
		case last:
			start[0] = frameLast
		}
		if err := l.stream.SendMsg(&frame{parts: out}); err != nil {
			return err
		}
		for !last && held == nil {
			r.mu.Lock()
			m, some := r.nextMessage(l)
			r.mu.Unlock()
			if !some {
				break
			}
			b := whole(m)
			if len(b) > maxFrame {
				held = b[1:]
				break
			}
			if err := l.stream.SendMsg(&frame{parts: [][]byte{b}}); err != nil {
				return err
			}
		}
	}
	if held != nil {
		return r.sendParts(l, &long{parts: [][]byte{held}})
	}
	return nil
}

// arriving is a long message of which not everything is there: in memory, or, when it is very long, in a file.
type arriving struct {
	size int
	mem  []byte
	file *os.File
	n    int // bytes in the file
}

// inFile is the length from which on messages are received into a file. The system can write such memory to the disk.
const inFile = 16 << 20

func (r *Replicator) newArriving(size int) (*arriving, error) {
	if size < inFile {
		return &arriving{size: size, mem: make([]byte, 0, size)}, nil
	}
	f, err := r.cfg.Store.TempFile()
	return &arriving{size: size, file: f}, err
}

func (a *arriving) left() int { return a.size - len(a.mem) - a.n }

func (a *arriving) add(b []byte) error {
	if a.file == nil {
		a.mem = append(a.mem, b...)
		return nil
	}
	n, err := a.file.Write(b)
	a.n += n
	return err
}

func (a *arriving) close() {
	if a != nil && a.file != nil {
		a.file.Close()
	}
}

// mapped is a file's bytes.
type mapped struct{ b []byte }

// decode decodes the message when all is there.
func (a *arriving) decode() (core.Message, error) {
	if a.file == nil {
		return core.Decode(a.mem)
	}
	b, err := syscall.Mmap(int(a.file.Fd()), 0, a.n, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	keep := &mapped{b}
	runtime.AddCleanup(keep, func(b []byte) { syscall.Munmap(b) }, b)
	m, err := core.Decode(b)
	if e, ok := m.(core.Entries); ok {
		for i := range e.List {
			e.List[i].Keep = keep
		}
	} else if err == nil {
		m, err = core.Decode(slices.Clone(b))
	}
	runtime.KeepAlive(keep)
	return m, err
}

// maxHello bounds the first message of a link, from whoever it is.
const maxHello = 16 << 20

// receive reads frames and hands each whole message to take, until an error.
func (r *Replicator) receive(l *link, take func(core.Message) error) error {
	limit := min(int64(maxHello), r.cfg.MaxEntry)
	var long *arriving
	defer func() { long.close() }()
	var f frame
	for {
		if err := l.stream.RecvMsg(&f); err != nil {
			return err
		}
		if len(f.bytes) == 0 {
			return core.ErrMalformed
		}
		l.unheard.Store(0)
		kind, b := f.bytes[0], f.bytes[1:]
		var m core.Message
		var err error
		switch kind {
		case frameWhole:
			m, err = core.Decode(b)
		case frameFirst:
			if len(b) < 8 || long != nil {
				return core.ErrMalformed
			}
			size := binary.BigEndian.Uint64(b)
			if b = b[8:]; size > uint64(limit) {
				return fmt.Errorf("replication: a message of more than %d bytes", limit)
			}
			if long, err = r.newArriving(int(size)); err != nil {
				return err
			}
			fallthrough
		case framePart, frameLast:
			if long == nil || len(b) > long.left() || kind == frameLast && len(b) < long.left() {
				return core.ErrMalformed
			}
			if err := long.add(b); err != nil {
				return err
			}
			if kind != frameLast {
				r.heard(l)
				continue
			}
			m, err = r.decode(l, long)
			long.close()
			long = nil
		default:
			return core.ErrMalformed
		}
		if err != nil {
			return err
		}
		if err := take(m); err != nil {
			return err
		}
		limit = r.cfg.MaxEntry
	}
}

// decode decodes a long message. That takes a while, in which nothing more is read; the peer is not to blame for it.
func (r *Replicator) decode(l *link, a *arriving) (core.Message, error) {
	done := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		t := time.NewTicker(r.cfg.Ping)
		defer t.Stop()
		for {
			r.heard(l)
			select {
			case <-t.C:
			case <-done:
				return
			}
		}
	})
	defer beside.Wait()
	defer close(done)
	return a.decode()
}
