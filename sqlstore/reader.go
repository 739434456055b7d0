package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

// Reader is one snapshot of the database. It may be used by one goroutine at a time.
type Reader struct {
	s      *Store
	conn   *sqlite.Conn
	file   uint64 // which database file conn has open: see readers.file
	layout *layout
	gen    uint64
	quiet  uint64 // Store.committing before the snapshot was taken
	pinned bool   // the snapshot has been taken, and the schema is its own
	once   bool   // a Read: fn may be called again

	ctx      context.Context
	watching *watch // of ctx, nil: none
	first    watch  // the first of them
	closed   bool
	copy     *sqlite.Conn // in memory: what keeps the copy

	evicted atomic.Bool // the snapshot was ended, or is to be: see evict
	since   time.Time   // when it was held; protected by readers.mu, as is the following
	parked  bool        // a Snapshot that lies idle between two calls of Use
}

// errRepeat makes Read begin again: the schema changed between the start and the first query.
var errRepeat = errors.New("sqlstore: the schema changed while the snapshot was taken")

// readers is the pool of reading connections.
type readers struct {
	s       *Store
	slots   chan struct{} // bounds Reads
	pinned  chan struct{} // bounds Snapshots
	mu      sync.Mutex
	idle    []*sqlite.Conn
	held    map[*Reader]struct{}
	maxIdle int
	closed  bool
	file    atomic.Uint64 // number of the database file: a snapshot is another one; written under mu
}

func newReaders(s *Store) *readers {
	n := s.config.Readers
	return &readers{s: s, held: make(map[*Reader]struct{}), slots: make(chan struct{}, n), pinned: make(chan struct{}, s.config.MaxSnapshots), maxIdle: 2 * n}
}

// take gives a connection, and the number of the file that it has open.
func (p *readers) take() (*sqlite.Conn, uint64, error) {
	p.mu.Lock()
	file := p.file.Load()
	if p.closed {
		p.mu.Unlock()
		return nil, 0, ErrClosed
	}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, file, nil
	}
	p.mu.Unlock()
	c, err := p.s.openConn(true) // if of a newer file, it is only taken for one of the old
	return c, file, err
}

func (p *readers) put(c *sqlite.Conn, file uint64) {
	c.Session = nil
	p.mu.Lock()
	if !p.closed && file == p.file.Load() && len(p.idle) < p.maxIdle && !c.InTransaction() {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

func (p *readers) close() { p.empty(func() { p.closed = true }) }

// renew is called once another file is in the place of the database: what readers have open is closed when they are done.
func (p *readers) renew() { p.empty(func() { p.file.Add(1) }) }

func (p *readers) empty(change func()) {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	change()
	p.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// Read runs fn on a fresh snapshot, which is taken at its first query (or Conn or Index) at the latest. fn is called
// again from the start if the schema changed before that, so it must have no effect until then.
func (s *Store) Read(ctx context.Context, fn func(*Reader) error) error {
	select {
	case s.readers.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.closing:
		return ErrClosed
	}
	defer func() { <-s.readers.slots }()
	if s.memory {
		s.memMu.RLock()
		defer s.memMu.RUnlock()
	}
	conn, file, err := s.readers.take()
	if err != nil {
		return err
	}
	r := &Reader{s: s, conn: conn, file: file, ctx: ctx, once: true}
	s.readers.hold(r)
	defer r.release()
	for {
		if err := r.begin(); err != nil {
			return err
		}
		err := fn(r)
		if end := run(r.conn, "COMMIT"); err == nil && end != nil {
			err = end
		}
		if err == nil || !errors.Is(err, errRepeat) {
			return r.outcome(err)
		}
	}
}

func (r *Reader) begin() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	r.pinned = false
	r.gen = r.s.ddlGen.Load()
	r.layout = r.s.layout.Load()
	r.quiet = r.s.committing.Load()
	if r.file != r.s.readers.file.Load() { // after ddlGen: settle notices a change that comes later
		if err := r.renew(); err != nil {
			return err
		}
	}
	return run(r.conn, "BEGIN")
}

// renew takes a connection to the present file.
func (r *Reader) renew() error {
	p := r.s.readers
	conn, file, err := p.take()
	if err != nil {
		return err
	}
	if r.watching != nil {
		r.watching.end()
		r.watching = nil
	}
	p.mu.Lock() // evict may be about to interrupt it
	old, oldFile := r.conn, r.file
	r.conn, r.file = conn, file
	p.mu.Unlock()
	p.put(old, oldFile)
	return nil
}

// settle is called once a statement has taken the snapshot: it makes sure that the schema is the snapshot's.
func (r *Reader) settle() error {
	if r.gen&1 == 0 && r.s.ddlGen.Load() == r.gen {
		r.pinned = true
		return nil
	}
	return errRepeat
}

// pin takes the snapshot.
func (r *Reader) pin() error {
	if r.pinned {
		return nil
	}
	if _, err := one(r.conn, "SELECT idx FROM lc_state"); err != nil {
		return err
	}
	return r.settle()
}

// release gives the connection back.
func (r *Reader) release() {
	if r.watching != nil {
		r.watching.end()
	}
	r.s.readers.drop(r)
	r.letGo()
	r.s.readers.put(r.conn, r.file)
}

// Snapshot pins a snapshot until the Reader is closed. While it is open the WAL cannot shrink, so it should be short.
// In memory it is a copy of the whole database.
func (s *Store) Snapshot(ctx context.Context) (*Reader, error) {
	select {
	case s.readers.pinned <- struct{}{}:
	case <-s.closing:
		return nil, ErrClosed
	default:
		return nil, pgerror.New(pgerror.TooManyConnections, "too many open snapshots (the limit is %d)", cap(s.readers.pinned))
	}
	r, err := s.snapshot(ctx)
	if err != nil {
		<-s.readers.pinned
		return nil, err
	}
	return r, nil
}

func (s *Store) snapshot(ctx context.Context) (*Reader, error) {
	if s.memory {
		return s.snapshotCopy(ctx)
	}
	conn, file, err := s.readers.take()
	if err != nil {
		return nil, err
	}
	r := &Reader{s: s, conn: conn, file: file, ctx: ctx}
	for {
		if err = r.begin(); err == nil {
			err = r.pin()
		}
		if err == nil {
			// Later calls bring contexts of their own.
			r.ctx = context.Background()
			s.readers.hold(r)
			return r, nil
		}
		if r.conn.InTransaction() {
			if end := run(r.conn, "ROLLBACK"); end != nil {
				err = end
			}
		}
		if !errors.Is(err, errRepeat) {
			s.readers.put(r.conn, r.file)
			return nil, err
		}
	}
}

// snapshotCopy copies a database in memory: SQLite has no snapshots there that a writer does not wait for.
func (s *Store) snapshotCopy(ctx context.Context) (*Reader, error) {
	s.memMu.RLock()
	defer s.memMu.RUnlock()
	src, file, err := s.readers.take()
	if err != nil {
		return nil, err
	}
	defer s.readers.put(src, file)
	name := fmt.Sprintf("%s-copy-%d", s.path, memoryNames.Add(1))
	dst, err := sqlite.Open(name, sqlite.Options{Memory: true, Authorizer: true})
	if err != nil {
		return nil, err
	}
	if err := src.StoreExec("VACUUM INTO 'file:/" + name + "?vfs=memdb'"); err != nil {
		dst.Close()
		return nil, err
	}
	r := &Reader{s: s, conn: dst, copy: dst, ctx: context.Background(), layout: s.layout.Load(), pinned: true}
	return r, run(dst, "BEGIN")
}

// Close ends a Snapshot's Reader. A second Close is harmless.
func (r *Reader) Close() error {
	if r.once || r.closed {
		return nil
	}
	r.closed = true
	defer func() { <-r.s.readers.pinned }()
	if r.copy != nil {
		return r.copy.Close()
	}
	r.release()
	return nil
}

// Schema is the snapshot's schema.
func (r *Reader) Schema() *catalog.Schema { return r.layout.schema }

// Conn is the connection that has the snapshot. Only statements that read may be run on it. It is nil if the snapshot
// cannot be taken; Query then says why.
func (r *Reader) Conn() *sqlite.Conn { return r.conn }

// Query runs a statement that reads. It ends early when ctx does.
func (r *Reader) Query(ctx context.Context, sql string, args []catalog.Value) (*sqlite.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.evicted.Load() {
		return nil, errEvicted()
	}
	st, err := r.conn.Stmt(sql)
	if err != nil {
		return nil, r.unless(err)
	}
	if ctx.Done() != nil {
		r.watch(ctx)
	}
	rows, err := st.Query(args)
	if err != nil {
		return nil, r.unless(err)
	}
	if r.pinned {
		return rows, nil
	}
	if err := r.settle(); err != nil {
		rows.Close()
		return nil, err
	}
	return rows, nil
}

// unless gives a statement's error, unless the schema is not the snapshot's: then the statement may be about tables that a
// change of the schema has just replaced.
func (r *Reader) unless(err error) error {
	if !r.pinned && r.once {
		if pin := r.pin(); pin != nil {
			return pin
		}
	}
	return err
}

// watch interrupts the connection when ctx ends, but not what its next user does.
func (r *Reader) watch(ctx context.Context) {
	w := &r.first
	if r.watching != nil {
		if r.ctx == ctx {
			return
		}
		r.watching.end()
	}
	if w.stop != nil { // it has been used
		w = &watch{}
	}
	w.start(ctx, r.conn)
	r.ctx, r.watching = ctx, w
}

// Index is the number of the last commit that the snapshot shows.
func (r *Reader) Index() (uint64, error) {
	if err := r.pin(); err != nil {
		return 0, err
	}
	v, err := one(r.conn, "SELECT idx FROM lc_state")
	return uint64(v.Int()), err
}

// Vector is a vector that covers all that the snapshot shows, and speaks only of what is durable.
func (r *Reader) Vector() (crdt.Vector, error) {
	if err := r.awaitPublished(); err != nil {
		return nil, err
	}
	return r.s.Vector(), nil
}

// awaitPublished waits until what the snapshot shows is published as durable: SQLite shows a commit to readers some
// microseconds before the writer gets to tell.
func (r *Reader) awaitPublished() error {
	if r.pinned && r.copy == nil && r.quiet&1 == 0 && r.s.committing.Load() == r.quiet {
		return nil // nothing was between the two since before it was taken
	}
	index, err := r.Index()
	if err != nil || r.copy != nil {
		return err
	}
	for r.s.Index() < index {
		runtime.Gosched()
	}
	return nil
}

// Version reads a row's version.
func (r *Reader) Version(t *catalog.Table, rowid int64) (v Version, found bool, err error) {
	if err := r.pin(); err != nil {
		return Version{}, false, err
	}
	err = each(r.conn, "SELECT _h,_o,_c FROM "+t.Phys+" WHERE rowid=?", []catalog.Value{catalog.Int(rowid)},
		func(row []catalog.Value) error {
			v, found = Version{row[0].Int(), row[1].Int(), row[2].Bytes}, true
			return nil
		})
	return v, found, err
}
