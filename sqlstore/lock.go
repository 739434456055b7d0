package sqlstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"layercake/pgerror"
)

// ErrLocked reports a data folder that another process (or another Store) has open.
var ErrLocked = errors.New("the data folder is in use by another process")

// lockPatience is how long a start waits for a process that was killed to be gone.
const lockPatience = 2 * time.Second

// lockFolder takes the folder's exclusive lock. The kernel gives it up when the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: lock the data folder: %w", err)
	}
	start := time.Now()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for errors.Is(err, syscall.EWOULDBLOCK) && time.Since(start) < lockPatience {
		time.Sleep(50 * time.Millisecond)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("sqlstore: %s: %w", dir, ErrLocked)
		}
		return nil, fmt.Errorf("sqlstore: lock the data folder: %w", err)
	}
	return f, nil
}

// A folder's lock file names the node whose folder it is, once the database has been made. SQLite takes a file that was
// cut to nothing, or is gone, for a new database: the node would forget all it had, and begin a life and a cluster of its
// own.

// unclaimed refuses to make a database in a folder that has had one.
func (s *Store) unclaimed() error {
	if s.memory {
		return nil
	}
	note, err := io.ReadAll(io.NewSectionReader(s.lock, 0, 64))
	if err != nil || len(note) == 0 {
		return err
	}
	return pgerror.New(pgerror.DataCorrupted, "the database file is empty or missing, though its folder belongs to %s", bytes.TrimSpace(note)).
		WithHint("Put the file back; or empty the folder, to begin anew as another node.")
}

// claim notes whose folder it is.
func (s *Store) claim() error {
	if s.memory {
		return nil
	}
	note := fmt.Appendf(nil, "node %016x\n", uint64(s.node))
	have, err := io.ReadAll(io.NewSectionReader(s.lock, 0, 64))
	if err != nil || bytes.Equal(have, note) {
		return err
	}
	if _, err := s.lock.WriteAt(note, 0); err != nil {
		return fmt.Errorf("note the folder's node: %w", err)
	}
	return s.lock.Sync()
}
