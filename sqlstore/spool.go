package sqlstore

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
)

// spoolMemory is how many bytes a spool keeps in memory.
const spoolMemory = 16 << 20

// spool is bytes that are collected to be read once: in memory while they are few, the rest in an unlinked temporary file
// that goes with the last reference to it.
type spool struct {
	mem  []byte
	file *os.File
	end  int64 // of the file
}

func (s *spool) size() int { return len(s.mem) + int(s.end) }

// add adds bytes. dir is where the file is made; "" keeps everything in memory.
func (s *spool) add(dir string, p []byte) error {
	if dir == "" || s.file == nil && len(s.mem)+len(p) <= spoolMemory {
		s.mem = append(s.mem, p...)
		return nil
	}
	if s.file == nil {
		f, err := tempFile(dir, "layercake-load-")
		if err != nil {
			return err
		}
		s.file = f
	}
	n, err := s.file.WriteAt(p, s.end)
	s.end += int64(n)
	if err != nil {
		return fmt.Errorf("temporary file: %w", err)
	}
	return nil
}

// appendTo appends all bytes to dst.
func (s *spool) appendTo(dst []byte) ([]byte, error) {
	dst = append(dst, s.mem...)
	if s.end == 0 {
		return dst, nil
	}
	n := len(dst)
	dst = slices.Grow(dst, int(s.end))[:n+int(s.end)]
	if _, err := s.file.ReadAt(dst[n:], 0); err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	return dst, nil
}

// reader reads all bytes.
func (s *spool) reader() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.mem)
	}
	return io.MultiReader(bytes.NewReader(s.mem), io.NewSectionReader(s.file, 0, s.end))
}

// tempFile makes a temporary file that goes with its last reference.
func tempFile(dir, name string) (*os.File, error) {
	f, err := os.CreateTemp(dir, name)
	if err == nil {
		if err = os.Remove(f.Name()); err == nil {
			return f, nil
		}
		f.Close()
	}
	return nil, fmt.Errorf("temporary file: %w", err)
}
