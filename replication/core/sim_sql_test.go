package core_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlite"
)

// sqlStore is the real store, in memory. It shows nothing before it is committed and synced, and says so to nobody: so what
// is asked of it waits in a queue until Sync, the moment at which a group's COMMIT returns, and a crash before that leaves
// nothing of it. A restart, or an old copy of the folder, is a new store that begins with a copy of the database. Every call
// waits for the writer's answer, so that the writer's goroutine never runs beside the simulator's.
type sqlStore struct {
	n     *simNode
	image *sqlite.Conn    // what it begins with
	store *sqlstore.Store // nil: not opened yet
	queue []*request
}

// sqlBreaks break a promise each, so that the simulator can be seen to find it out.
type sqlBreaks struct {
	forgetDrops bool // DROPs of other nodes are not merged
	ignoreDeps  bool // entries travel without their dependencies
	halve       bool // the two rows of a transfer are changed by a transaction each
	purgeEarly  bool // tombstones go at once
	loseSynced  bool // a crash loses also what was synced since the start
}

// newSQLSim makes a cluster of sqlStores. close ends it.
func newSQLSim(seed uint64, b sqlBreaks) *sim {
	s := newSim(seed, core.Knobs{})
	s.sql = newSQLModel(s, b)
	return s
}

// close gives back the memory of the stores.
func (s *sim) close() {
	for _, n := range s.nodes {
		n.store.Close()
		if n.copied != nil {
			n.copied.Close()
		}
	}
}

var imageNames atomic.Uint64

// copyOf copies a database in memory.
func copyOf(from *sqlite.Conn) *sqlite.Conn {
	c, err := sqlite.Open(fmt.Sprintf("image-%d", imageNames.Add(1)), sqlite.Options{Memory: true})
	if err == nil {
		err = c.Backup(context.Background(), from)
	}
	if err != nil {
		panic(err)
	}
	return c
}

// imageOf copies a store's database.
func imageOf(s *sqlstore.Store) (c *sqlite.Conn) {
	err := s.Read(context.Background(), func(r *sqlstore.Reader) error {
		if _, err := r.Index(); err != nil { // takes the snapshot
			return err
		}
		c = copyOf(r.Conn())
		return nil
	})
	if err != nil {
		panic(err)
	}
	return c
}

// emptyImage is the database of a store that was just made: its system tables take long to fill.
var emptyImage = sync.OnceValue(func() *sqlite.Conn {
	if dir := "/dev/shm"; os.Getenv("TMPDIR") == "" { // where snapshots are put together
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			os.Setenv("TMPDIR", dir)
		}
	}
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	return imageOf(s)
})

func newSQLStore(n *simNode) *sqlStore {
	c := copyOf(emptyImage())
	if err := c.StoreExec(fmt.Sprintf("UPDATE lc_state SET node=%d", int64(n.member.ID))); err != nil {
		panic(err)
	}
	return &sqlStore{n: n, image: c}
}

// seeded gives the bytes of a random source.
type seeded struct{ *rand.Rand }

func (r seeded) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return len(p), nil
}

// complaints makes a fault of whatever a store has to complain about.
type complaints struct{ n *simNode }

func (c complaints) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (c complaints) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c complaints) WithGroup(string) slog.Handler                { return c }
func (c complaints) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %v", a); return true })
	c.n.s.violated("%s logs: %s%s", c.n.member.Name, r.Message, &b)
	return nil
}

// db is the store, opened at its first use in a life.
func (st *sqlStore) db() *sqlstore.Store {
	if st.store != nil {
		return st.store
	}
	m := st.n.s.sql
	m.opened++
	var err error
	st.store, err = sqlstore.Open(context.Background(), sqlstore.Config{
		Now: st.n.wall, Image: st.image, Readers: 1, Logger: slog.New(complaints{st.n}),
		Rand:  seeded{rand.New(rand.NewPCG(st.n.s.seed, m.opened))},
		Knobs: sqlstore.Knobs{ForgetDrops: m.breaks.forgetDrops},
	})
	if err != nil {
		panic(err)
	}
	if !m.breaks.loseSynced {
		st.image.Close()
		st.image = nil
	}
	return st.store
}

// Crash ends the store and returns what a restart finds.
func (st *sqlStore) Crash() simStore {
	next := &sqlStore{n: st.n, image: st.image}
	if st.store != nil && next.image == nil {
		next.image = imageOf(st.store)
	}
	st.queue, st.image = nil, nil
	st.Close()
	return next
}

// Backup copies the folder.
func (st *sqlStore) Backup() simStore { return &sqlStore{n: st.n, image: imageOf(st.db())} }

// Close ends the store.
func (st *sqlStore) Close() {
	if st.store != nil {
		if err := st.store.Close(); err != nil {
			panic(err)
		}
	}
	if st.image != nil {
		st.image.Close()
	}
	st.store, st.image = nil, nil
}

// request is something that waits for Sync.
type request struct {
	batch   []crdt.Entry             // others' entries to apply
	do      func(*sqlTx) error       // or a transaction
	try     bool                     // which is rolled back
	mark    func(before crdt.Vector) // or a marker, which is written by itself
	then    *simCommit               // what becomes known of the transaction
	outcome func()                   // what is to be done when the group is committed
}

// Sync does what waits. What has come together is one group of the writer's, and one SQLite transaction.
func (st *sqlStore) Sync() {
	for len(st.queue) > 0 {
		n := slices.IndexFunc(st.queue, func(r *request) bool { return r.mark != nil })
		if n == 0 {
			st.queue[0].mark(st.Vector())
			st.queue = st.queue[1:]
			continue
		}
		if n < 0 {
			n = len(st.queue)
		}
		group := st.queue[:n]
		st.queue = st.queue[n:]
		st.group(group)
	}
}

// group has the writer run requests together, in this order: each is handed over before the next, while a first one holds
// the writer up. Only one goroutine runs at a time.
func (st *sqlStore) group(list []*request) {
	db, ctx := st.db(), context.Background()
	before := db.Vector()
	at := before.Clone()
	var wait sync.WaitGroup
	entered, release := make(chan struct{}), make(chan struct{})
	wait.Go(func() {
		db.Try(ctx, func(*sqlstore.Tx) error { close(entered); <-release; return nil })
	})
	<-entered
	applied := 0 // so many of the list are in at, if they are batches
	for i, r := range list {
		if r.do == nil {
			wait.Go(func() {
				err := db.Apply(ctx, r.batch)
				r.outcome = func() {
					for _, e := range r.batch {
						st.n.s.log("%s applies %d of n%d", st.n.member.Name, e.Seq, e.Origin.Node)
					}
					if err != nil {
						st.n.s.violated("%s was made to apply what it cannot: %v", st.n.member.Name, err)
					}
				}
			})
			synctest.Wait()
			continue
		}
		t := &sqlTx{st: st, model: st.n.s.sql}
		if r.try { // it runs before what the group writes
			t.at = before
			wait.Go(func() {
				err := db.Try(ctx, func(tx *sqlstore.Tx) error { t.Tx = tx; return r.do(t) })
				r.outcome = func() { st.tried(t, err) }
			})
			synctest.Wait()
			continue
		}
		var id entryID
		wait.Go(func() {
			c, err := db.Write(ctx, func(tx *sqlstore.Tx) error {
				for ; applied < i; applied++ {
					for _, e := range list[applied].batch {
						at[e.Origin] = max(at[e.Origin], e.Seq)
					}
				}
				t.Tx, t.at = tx, at.Clone()
				if err := r.do(t); err != nil || !t.changed {
					return err
				}
				id = entryID{t.Stamp().Origin, at[t.Stamp().Origin] + 1} // the next in the group is to know
				at[id.origin] = id.seq
				st.n.s.sql.note(id, t.Stamp(), t)
				return nil
			})
			r.outcome = func() { st.committed(t, r.then, id, c, err) }
		})
		synctest.Wait()
	}
	close(release)
	wait.Wait()
	if len(list) > 1 {
		st.n.s.sql.groups++
	}
	for _, r := range list {
		r.outcome()
	}
	st.glance()
}

func (st *sqlStore) tried(t *sqlTx, err error) {
	if err != nil && pgerror.Code(err) != pgerror.UniqueViolation {
		st.n.s.violated("%s cannot try %s: %v", st.n.member.Name, t.what, err)
	}
}

// committed says what became of a transaction.
func (st *sqlStore) committed(t *sqlTx, then *simCommit, id entryID, c sqlstore.Commit, err error) {
	s := st.n.s
	switch {
	case pgerror.Code(err) == pgerror.UniqueViolation:
		s.log("%s is refused: %v", st.n.member.Name, err)
	case err != nil:
		s.violated("%s cannot write (%s): %v", st.n.member.Name, t.what, err)
	case c.Empty != (id == entryID{}) || !c.Empty && id != entryID{c.Origin, c.Seq}:
		s.violated("%s has committed %s as %d of %v, not as %d of %v", st.n.member.Name, t.what, c.Seq, c.Origin, id.seq, id.origin)
	case !c.Empty:
		*then = simCommit{origin: c.Origin, seq: c.Seq}
		s.log("%s commits %d: %s", st.n.member.Name, c.Seq, t.what)
	}
}

func (st *sqlStore) statement(*simOp) *simCommit {
	c := &simCommit{none: true}
	if st.n.s.chance(10) { // a statement of an open transaction, which is rolled back again
		st.queue = append(st.queue, &request{do: (*sqlTx).alterAll, try: true})
	}
	for _, do := range st.n.s.sql.transaction(st) {
		st.queue = append(st.queue, &request{do: do, then: c})
	}
	return c
}

func (st *sqlStore) mark(m crdt.Marker) *simCommit {
	c := &simCommit{}
	st.queue = append(st.queue, &request{mark: func(before crdt.Vector) {
		c.origin, c.seq, c.err = st.db().Mark(context.Background(), m)
		st.n.s.sql.causes[entryID{c.origin, c.seq}] = before
	}})
	return c
}

func (st *sqlStore) apply(batch []crdt.Entry) error {
	st.queue = append(st.queue, &request{batch: batch})
	return nil
}

// show looks at the whole database now and then, as a reader may at any time.
func (st *sqlStore) show(string) string {
	if st.n.s.chance(8) {
		st.checkRows()
	}
	return ""
}

func (st *sqlStore) Vector() crdt.Vector  { return st.db().Vector() }
func (st *sqlStore) Trimmed() crdt.Vector { return st.db().Trimmed() }
func (st *sqlStore) Retired() crdt.Vector { return st.db().Retired() }

func (st *sqlStore) Markers() (map[crdt.NodeID]crdt.Marked, error) { return st.db().Markers() }
func (st *sqlStore) GetLocal(key string) ([]byte, error)           { return st.db().GetLocal(key) }
func (st *sqlStore) PutLocal(key string, val []byte) error         { return st.db().PutLocal(key, val) }

func (st *sqlStore) Forks() (crdt.Forks, error) { return st.db().Forks() }

func (st *sqlStore) Chain(ctx context.Context, o crdt.Origin, from, to uint64) (low, first uint64, hashes []uint64, err error) {
	return st.db().Chain(ctx, o, from, to)
}

func (st *sqlStore) Refile(ctx context.Context, f crdt.Fork, move bool) (moved bool, err error) {
	return st.db().Refile(ctx, f, move)
}

func (st *sqlStore) Renew(ctx context.Context, after crdt.HLC) error {
	return st.db().Renew(ctx, after)
}

func (st *sqlStore) Entries(_ context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	list, err := st.db().Entries(context.Background(), o, from, maxBytes)
	if st.n.s.sql.breaks.ignoreDeps {
		for i := range list {
			list[i].Deps = nil
		}
	}
	return list, err
}

func (st *sqlStore) Purge(ctx context.Context, v crdt.Vector, before crdt.HLC) (int64, bool, error) {
	if st.n.s.sql.breaks.purgeEarly {
		v, before = st.Vector(), ^crdt.HLC(0)>>1
	}
	return st.db().Purge(ctx, v, before)
}

func (st *sqlStore) Trim(ctx context.Context, v crdt.Vector) error { return st.db().Trim(ctx, v) }

// Copy is the store's, read to its end: the run may lose it.
func (st *sqlStore) Copy(ctx context.Context) (io.ReadCloser, int64, error) {
	r, size, err := st.db().Copy(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return io.NopCloser(bytes.NewReader(b)), size, err
}

func (st *sqlStore) Install(ctx context.Context, image io.Reader) error {
	st.Sync() // a swap comes between two groups of the writer
	err := st.db().Install(ctx, image)
	if err == nil {
		st.checkRows()
	}
	return err
}

// LogLen counts the entries that are there.
func (st *sqlStore) LogLen() (n int) {
	trimmed := st.Trimmed()
	for o, seq := range st.Vector() {
		n += int(seq - trimmed[o])
	}
	return n
}

// Tombstones counts the deleted rows that are remembered.
func (st *sqlStore) Tombstones() (n int) {
	for _, t := range st.db().Tombstones() {
		n += int(t.Count)
	}
	return n
}

// userTables lists the tables of a schema by age.
func userTables(s *catalog.Schema) (out []*catalog.Table) {
	for _, t := range s.Relations {
		if !t.System && t.Kind == catalog.KindTable {
			out = append(out, t)
		}
	}
	sortByID(out)
	return out
}
