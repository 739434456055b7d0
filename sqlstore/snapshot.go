package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// A snapshot is the whole database, page by page, as of one moment: rows, clocks, tombstones, log and markers. The
// receiver applies to it what its own log has beyond it, in a store beside its own, and then puts it in its place.

// Errors of Install, besides those of Apply.
var (
	// ErrUncovered reports a snapshot that lacks entries which were trimmed here: the receiver could not add them again
	// (rule N1).
	ErrUncovered = errors.New("the snapshot lacks entries that were trimmed here")
	// ErrUnmended reports a snapshot of a donor that has another branch of a fork, or does not know of one that is known
	// here: once the fork is mended it can be taken (rule E5).
	ErrUnmended = errors.New("a fork is not mended yet")
	// ErrNoSnapshot reports bytes that are no snapshot that this program can use.
	ErrNoSnapshot = errors.New("not a snapshot")
)

// Copy copies the database, while others go on reading and writing, and returns the copy and its size. Closing it deletes
// it.
func (s *Store) Copy(ctx context.Context) (copied io.ReadCloser, size int64, err error) {
	dir, err := os.MkdirTemp(s.config.Dir, outgoing)
	if err != nil {
		return nil, 0, fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	f, size, err := s.openCopy(ctx, filepath.Join(dir, "snapshot.db"))
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("sqlstore: snapshot: %w", err), os.RemoveAll(dir))
	}
	return &copyFile{File: f, dir: dir}, size, nil
}

func (s *Store) openCopy(ctx context.Context, path string) (*os.File, int64, error) {
	if err := s.copyTo(ctx, path); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Names of the folders that snapshots come and go by; what is left of them after a crash is deleted by Open.
const (
	outgoing = "outgoing-"
	incoming = "incoming-"
)

func removeSnapshots(dir string) error {
	var errs []error
	for _, name := range []string{outgoing, incoming} {
		left, err := filepath.Glob(filepath.Join(dir, name+"*"))
		errs = append(errs, err)
		for _, path := range left {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

type copyFile struct {
	*os.File
	dir  string
	once sync.Once
	err  error
}

func (f *copyFile) Close() error {
	f.once.Do(func() { f.err = errors.Join(f.File.Close(), os.RemoveAll(f.dir)) })
	return f.err
}

// copyTo copies what is committed into a new file.
func (s *Store) copyTo(ctx context.Context, path string) (err error) {
	if s.memory {
		s.memMu.RLock()
		defer s.memMu.RUnlock()
	}
	from, err := s.openConn(true)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := run(from, "BEGIN"); err != nil {
		return err
	}
	if _, err := one(from, "SELECT idx FROM lc_state"); err != nil { // takes the snapshot that Backup copies
		return err
	}
	to, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	if err = to.StoreExec("PRAGMA synchronous=OFF"); err == nil {
		err = to.Backup(ctx, from)
	}
	return errors.Join(err, to.Close())
}

// Install replaces the database by a snapshot of another node's, applies again what the log here has beyond it, and
// returns when that is durable. Statements under way see the old state to their end. Nothing changes on an error:
// ErrUncovered, ErrNoSnapshot, crdt.ErrAhead (rule N2), or what Apply answers to entries of this node's log. The caller
// makes sure that nobody writes on the strength of what was read before.
func (s *Store) Install(ctx context.Context, r io.Reader) (err error) {
	dir, err := os.MkdirTemp(s.config.Dir, incoming)
	if err != nil {
		return fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "layercake.db")
	if err := writeFile(path, r); err != nil {
		return fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	if err := s.examine(path); err != nil {
		return fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	stage, err := Open(ctx, Config{Dir: dir, Now: s.config.Now, MaxClockOffset: s.config.MaxClockOffset, Readers: 1,
		Logger: s.config.Logger, CompileIndex: s.config.CompileIndex, Fatal: s.config.Fatal, MaxEntry: s.config.MaxEntry})
	if err != nil {
		return fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if !stage.Vector().Covers(s.Trimmed()) {
		return ErrUncovered
	}
	if err := s.sameBranches(ctx, stage); err != nil {
		return fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	if err := s.replay(ctx, stage); err != nil { // most of it, while the writer goes on
		return fmt.Errorf("sqlstore: snapshot: %w", err)
	}
	w := &swap{ctx: ctx, stage: stage, path: path, done: make(chan struct{})}
	select {
	case s.swaps <- w:
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-w.done
	return w.err
}

// isStore makes sure that a database is a store's, of this format or one that Open can make this one.
func isStore(c *sqlite.Conn) error {
	id, err := one(c, "PRAGMA application_id")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSnapshot, err)
	}
	version, err := one(c, "PRAGMA user_version")
	if err != nil || id.Int() != applicationID || version.Int() < oldestFormat || version.Int() > formatVersion {
		return errors.Join(fmt.Errorf("%w of format %d to %d", ErrNoSnapshot, oldestFormat, formatVersion), err)
	}
	return nil
}

// examine makes sure that a file is a store's, of this format and of the present, and makes it one of this node's.
func (s *Store) examine(path string) (err error) {
	c, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := isStore(c); err != nil {
		return err
	}
	hlc, err := one(c, "SELECT hlc FROM lc_state")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSnapshot, err)
	}
	limit := s.config.MaxClockOffset
	if limit == 0 {
		limit = crdt.DefaultMaxOffset
	}
	if ahead := crdt.HLC(hlc.Int()).Time().Sub(s.config.Now()); ahead > limit {
		return fmt.Errorf("%w: the snapshot's by %v, at most %v is allowed", crdt.ErrAhead, ahead, limit)
	}
	return c.StoreExec(fmt.Sprintf("BEGIN; UPDATE lc_state SET node=%d; DELETE FROM lc_local; COMMIT", int64(s.node)))
}

// replay applies to stage what the log here has beyond it, each entry after those that it depends on.
func (s *Store) replay(ctx context.Context, stage *Store) error {
	const bytes = 1 << 20
	for {
		progress, left := false, error(nil)
		have := stage.Vector()
		for o, seq := range s.Vector() {
			for have[o] < seq {
				entries, err := s.Entries(ctx, o, have[o]+1, bytes)
				if errors.Is(err, crdt.ErrLong) {
					entries, err = s.oneLong(ctx, o, have[o]+1)
				}
				if err != nil {
					return err
				}
				if len(entries) == 0 {
					return fmt.Errorf("the log of node %016x has no entry %d", uint64(o.Node), have[o]+1)
				}
				if entries, err = s.ripe(stage, entries); err == nil {
					err = stage.Apply(ctx, entries)
				} else if len(entries) > 0 {
					err = errors.Join(stage.Apply(ctx, entries), err)
				}
				at, _ := stage.Head(o)
				progress = progress || at > have[o]
				have[o] = at
				if errors.Is(err, ErrDeps) {
					left = err
					break
				}
				if err != nil {
					return err
				}
			}
		}
		if left == nil {
			return nil
		}
		if !progress {
			return left
		}
	}
}

// oneLong reads an entry that Entries does not give.
func (s *Store) oneLong(ctx context.Context, o crdt.Origin, seq uint64) (list []crdt.Entry, err error) {
	num, _ := s.logged(o, seq)
	err = s.readLog(ctx, func(r *Reader) error {
		e, err := getEntry(r.conn, num<<seqBits|int64(seq), catalog.Value{})
		list = []crdt.Entry{e}
		return err
	})
	return list, err
}

// swap is a snapshot to be put in place of the database, between two groups of the writer.
type swap struct {
	ctx   context.Context
	stage *Store
	path  string
	done  chan struct{}
	err   error
}

func (w *writer) swap(r *swap) {
	defer close(r.done)
	s := w.s
	if r.err = s.replay(r.ctx, r.stage); r.err != nil {
		return
	}
	if r.err = r.stage.Close(); r.err != nil { // which empties its WAL into the file
		return
	}
	if s.memory {
		s.memMu.Lock()
		defer s.memMu.Unlock()
	}
	if r.err = w.takeOver(r.path, r.stage); r.err != nil {
		return
	}
	s.pass.Lock()
	defer s.pass.Unlock()
	s.committing.Add(1)
	defer s.committing.Add(1)
	s.ddlGen.Add(1)
	if s.memory {
		r.err = w.copyOver(r.ctx, r.path)
	} else {
		r.err = w.moveOver(r.path)
	}
	if r.err != nil {
		s.ddlGen.Add(1)
	}
	// Whatever became of it, the database is the one or the other wholly, and with it perhaps another schema.
	w.layout = nil
	if err := w.load(); err != nil {
		s.config.Fatal(fmt.Errorf("sqlstore: state lost after a snapshot: %w", err))
	}
	if r.err != nil {
		return
	}
	if r.err = w.prepareSystem(); r.err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ddlGen.Add(1)
	for id := range s.layout.Load().spaces {
		s.changes[id] = s.index
	}
	s.wakeCarry()
	close(s.changed)
	s.changed = make(chan struct{})
}

// copyOver copies a database file into the one in memory.
func (w *writer) copyOver(ctx context.Context, path string) (err error) {
	c, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	// There is no WAL in memory: a database whose head says that it has one could not be opened.
	if err := c.StoreExec("PRAGMA journal_mode=DELETE"); err != nil {
		return err
	}
	return w.conn.Backup(ctx, c)
}

// moveOver puts a database file in the place of the present one, which those who read it keep to their end. The caller
// holds Store.pass.
func (w *writer) moveOver(path string) error {
	s := w.s
	if err := settled(path); err != nil {
		return err
	}
	if err := os.Rename(path, s.next()); err != nil {
		return err
	}
	// From here on it is the database, if not now, then after a start.
	s.file.Lock()
	err := s.placeNext()
	s.file.Unlock()
	if err != nil {
		s.config.Fatal(fmt.Errorf("sqlstore: a snapshot came half-way into its place: %w", err))
		return err
	}
	conn, err := s.openConn(false)
	if err != nil {
		s.config.Fatal(fmt.Errorf("sqlstore: open a snapshot: %w", err))
		return err
	}
	checkpointer, err := s.openConn(false)
	if err != nil {
		s.config.Fatal(fmt.Errorf("sqlstore: open a snapshot: %w", err))
		return errors.Join(err, conn.Close())
	}
	s.readers.renew()
	// SQLite sees that their file has moved, and leaves the WAL of that name alone (SQLITE_FCNTL_HAS_MOVED).
	err = errors.Join(w.conn.Close(), s.checkpointer.Close())
	w.conn, s.checkpointer, w.changes, w.waitedAt = conn, checkpointer, 0, 0
	s.walPages.Store(0)
	s.passAt.Store(0)
	return err
}

// next is the name of a database file that is to be put in the place of the present one, and is complete.
func (s *Store) next() string { return s.path + ".next" }

// placeNext puts it there, if there is one. A WAL says nothing of which file it belongs to, so the old one is gone for
// good before the new file has its name: whatever moment a crash comes at, the next start goes on from there.
func (s *Store) placeNext() error {
	if _, err := os.Stat(s.next()); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := syncPath(s.config.Dir); err != nil {
		return err
	}
	if err := os.Remove(s.path + "-wal"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := syncPath(s.config.Dir); err != nil {
		return err
	}
	if err := os.Rename(s.next(), s.path); err != nil {
		return err
	}
	return syncPath(s.config.Dir)
}

// takeOver gives the copy what is this node's own: its notes, and its greatest stamp (rule E4). stage had it open.
func (w *writer) takeOver(path string, stage *Store) (err error) {
	c, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := run(c, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := run(c, "DELETE FROM lc_local"); err != nil {
		return err
	}
	err = each(w.conn, "SELECT key,val FROM lc_local", nil, func(v []catalog.Value) error {
		return run(c, "INSERT INTO lc_local VALUES(?,?)", v[0], v[1])
	})
	if err != nil {
		return err
	}
	for _, col := range retypedColumns(w.layout, stage.Schema()) {
		note := carryNote{Until: w.s.clock.Last()}
		err := each(c, "SELECT _h,_o FROM lc_schema WHERE c0=?", []catalog.Value{col.ID.Value()}, func(v []catalog.Value) error {
			note.Filled = stage.origins.merged(crdt.HLC(v[0].Int()), v[1].Int())
			return nil
		})
		if err == nil {
			err = run(c, "INSERT INTO lc_local VALUES(?,?)", catalog.Str(carryKey(col.ID)), catalog.BlobBytes(note.encode()))
		}
		if err != nil {
			return err
		}
	}
	if err := run(c, "UPDATE lc_state SET node=?1,hlc=max(hlc,?2),idx=max(idx,?3)+1", catalog.Int(int64(w.s.node)),
		catalog.Int(int64(w.s.clock.Last())), catalog.Int(int64(w.s.index))); err != nil {
		return err
	}
	return run(c, "COMMIT")
}
