package sqlstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// Restore makes a data folder of a copy of another one's database, as Copy gives it. config.Dir must not exist, or be
// empty. A copy that is damaged, or of another format, is refused with ErrNoSnapshot. With fresh the folder is a new
// node's: it gets an id of its own. prepare, unless it is nil, may change the store before it is in its place. On an error
// nothing is left behind; on return all is durable, and the store is closed.
func Restore(ctx context.Context, config Config, r io.Reader, fresh bool, prepare func(*Store) error) (err error) {
	dir := config.Dir
	made := false
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		made = true
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("sqlstore: restore: %w", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return errors.Join(fmt.Errorf("sqlstore: restore: the folder %s is not empty", dir), err)
	}
	// Should the process end half-way, Open takes what is left for a snapshot that never came to its end.
	stage, err := os.MkdirTemp(dir, incoming)
	if err != nil {
		return fmt.Errorf("sqlstore: restore: %w", err)
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(stage))
		if err != nil && made {
			err = errors.Join(err, os.Remove(dir))
		}
	}()
	path := filepath.Join(stage, "layercake.db")
	if err := writeFile(path, r); err != nil {
		return fmt.Errorf("sqlstore: restore: %w", err)
	}
	if err := inspect(ctx, path, fresh); err != nil {
		return fmt.Errorf("sqlstore: restore: %w", err)
	}
	config.Dir = stage
	s, err := Open(ctx, config)
	if err != nil {
		return err
	}
	if prepare != nil {
		err = prepare(s)
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if err := settled(path); err != nil {
		return fmt.Errorf("sqlstore: restore: %w", err)
	}
	if err := os.Rename(path, filepath.Join(dir, "layercake.db")); err != nil {
		return fmt.Errorf("sqlstore: restore: %w", err)
	}
	return syncPath(dir)
}

// settled makes sure that a database that nobody has open is wholly in its file, and durable.
func settled(path string) error {
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) { // the last connection to close copies it into the file
		return errors.Join(errors.New("the write-ahead log is still there"), err)
	}
	return syncPath(path)
}

// writeFile makes a file that is durable.
func writeFile(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncPath makes a file, or the names in a folder, durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// inspect makes sure that a file is a sound database of this format, and with fresh gives it a new node's id.
func inspect(ctx context.Context, path string, fresh bool) (err error) {
	c, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := isStore(c); err != nil {
		return err
	}
	var errs []error
	err = each(c, "PRAGMA integrity_check(20)", nil, func(v []catalog.Value) error {
		if said := string(v[0].Bytes); said != "ok" {
			errs = append(errs, fmt.Errorf("%w: the database is damaged: %s", ErrNoSnapshot, said))
		}
		return ctx.Err()
	})
	if err = errors.Join(append(errs, err)...); err != nil || !fresh {
		return err
	}
	node, err := randomNode(rand.Reader)
	if err != nil {
		return err
	}
	return run(c, "UPDATE lc_state SET node=?", catalog.Int(int64(node)))
}
