package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrLocked reports a data folder that another process (or another Store) has open.
var ErrLocked = errors.New("the data folder is in use by another process")

// lockFolder takes the folder's exclusive lock. The kernel gives it up when the process ends, however it ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("sqlstore: %s: %w", dir, ErrLocked)
		}
		return nil, fmt.Errorf("sqlstore: lock the data folder: %w", err)
	}
	return f, nil
}
