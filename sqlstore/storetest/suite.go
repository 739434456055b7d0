package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
)

// Run checks that stores made with config conform. config gives each test the Config of a fresh store; Reopen says
// whether what it holds is there again after Close.
func Run(t *testing.T, reopen bool, config func(t testing.TB) sqlstore.Config) {
	s := suite{config: config}
	t.Run("UnknownKeyspaceIsEmpty", s.unknownKeyspace)
	t.Run("PutAndGet", s.putAndGet)
	t.Run("Bulk", s.bulk)
	t.Run("EmptyValueIsNoDelete", s.emptyValue)
	t.Run("TombstoneOfUnknownKey", s.unknownTombstone)
	t.Run("ReviveAfterDelete", s.revive)
	t.Run("Purge", s.purge)
	t.Run("PartialBulkFailure", s.partialBulk)
	t.Run("OlderStampLater", s.olderLater)
	t.Run("EqualValueIsWritten", s.equalValue)
	t.Run("ApplyTwice", s.applyTwice)
	t.Run("GapsForksAndDependencies", s.gaps)
	t.Run("Forks", s.forks)
	t.Run("TrimmedBranch", s.trimmedBranch)
	t.Run("TrimmedBranchIsHere", s.branchHere)
	t.Run("MalformedEntry", s.malformed)
	t.Run("AnyOrderSameDigest", s.anyOrder)
	if reopen {
		t.Run("Reopen", s.reopen)
	}
}

type suite struct {
	config func(t testing.TB) sqlstore.Config
}

func (s suite) open(t testing.TB) *Node {
	t.Helper()
	c := s.config(t)
	n := OpenNode(t, c)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

// OpenNode opens a store with a clock that the test moves. The caller closes it.
func OpenNode(t testing.TB, c sqlstore.Config) *Node {
	t.Helper()
	clock := NewClock()
	c.Now = clock.Now
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fatal == nil {
		c.Fatal = func(err error) { t.Errorf("fatal: %v", err) }
	}
	st, err := sqlstore.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return &Node{TB: t, Store: st, Clock: clock}
}

var (
	num  = catalog.Int
	str  = catalog.Str
	none = catalog.Value{}
)

var pair = TableSpec{
	Name:    "pair",
	Columns: []Column{{Name: "k", Type: catalog.Int4OID}, {Name: "v", Type: catalog.TextOID}},
	Key:     []string{"k"},
}

func (s suite) unknownKeyspace(t *testing.T) {
	n := s.open(t)
	id := n.NewID()
	if d := n.Digest(id); d.Rows != 0 || d.Digest != (crdt.Digest{}) || d.Tombstones != 0 {
		t.Errorf("digest is %+v", d)
	}
	if n.ChangedSince(id, 0) {
		t.Error("a keyspace that nobody knows has changed")
	}
	es, err := n.Entries(context.Background(), crdt.Origin{Node: 5}, 1, 1000)
	if err != nil || len(es) != 0 {
		t.Errorf("entries: %d, %v", len(es), err)
	}
	table := n.MustCreate(pair)
	n.Want(table)
	if v, err := n.GetLocal("nothing"); v != nil || err != nil {
		t.Errorf("note: %q, %v", v, err)
	}
}

func (s suite) putAndGet(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	for i := range 20 {
		n.Insert(table, num(int64(i)), str(fmt.Sprint("v", i)))
	}
	if !n.Update(table, num(7), map[int]catalog.Value{1: str("new")}) || !n.Delete(table, num(8)) {
		t.Error("a row is missing")
	}
	if n.Delete(table, num(99)) {
		t.Error("a row that was never there was deleted")
	}
	rows := n.Rows(table)
	if len(rows) != 19 || !strings.Contains(strings.Join(rows, "|"), "7 new") {
		t.Errorf("rows are %q", rows)
	}
	if err := n.PutLocal("note", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if v, err := n.GetLocal("note"); string(v) != "x" || err != nil {
		t.Errorf("note: %q, %v", v, err)
	}
	Same(t, n)
}

func (s suite) bulk(t *testing.T) {
	n, m := s.open(t), s.open(t)
	table := n.MustCreate(pair)
	const rows = 5000
	c := n.MustWrite(func(tx *sqlstore.Tx) error {
		for i := range rows {
			if _, err := tx.Insert(Table(tx.Schema(), table), []catalog.Value{num(int64(i)), str("x")}); err != nil {
				return err
			}
		}
		return nil
	})
	if c.Seq != 2 {
		t.Errorf("commit is %+v", c)
	}
	m.Pull(n)
	if d := m.Digest(table); d.Rows != rows {
		t.Errorf("%d rows", d.Rows)
	}
	Same(t, n, m)
}

func (s suite) emptyValue(t *testing.T) {
	n, m := s.open(t), s.open(t)
	table := n.MustCreate(pair)
	n.Insert(table, num(1), str(""))
	n.Insert(table, num(2), catalog.BlobBytes([]byte{}))
	n.Insert(table, num(3), none)
	n.Insert(table, num(4), str("x"))
	n.Update(table, num(4), map[int]catalog.Value{1: str("")})
	m.Pull(n)
	m.Want(table, "1 ", "2 x", "3 -", "4 ")
	Same(t, n, m)
}

// Fake writes entries as a node that is no store.
type Fake struct {
	Origin crdt.Origin
	seq    uint64
	prev   [32]byte
}

// Entry makes the origin's next entry.
func (f *Fake) Entry(h crdt.HLC, fill func(*crdt.Body)) crdt.Entry {
	var b crdt.Body
	fill(&b)
	f.seq++
	e := crdt.Entry{Origin: f.Origin, Seq: f.seq, HLC: h, Prev: f.prev}
	crdt.EncodeEntry(&e, b.Encode())
	f.prev = e.Hash
	return e
}

func fake(n int) *Fake {
	return &Fake{Origin: crdt.Origin{Node: crdt.NodeID(n), Epoch: crdt.Epoch{First: 1, Random: uint32(n)}}}
}

// pairGroups writes mutations of a table made by the spec pair.
type pairGroups struct{ t *catalog.Table }

func (p pairGroups) ids() (table, keyID crdt.ID, key, rest []crdt.ID) {
	for _, ix := range p.t.Indexes {
		if ix.Primary {
			keyID = crdt.ID(ix.ID)
		}
	}
	return crdt.ID(p.t.ID), keyID, []crdt.ID{crdt.ID(p.t.Columns[0].ID)}, []crdt.ID{crdt.ID(p.t.Columns[1].ID)}
}

func (p pairGroups) insert(k int64, v string) func(*crdt.Body) {
	return func(b *crdt.Body) {
		id, keyID, key, rest := p.ids()
		b.Group(crdt.Insert, id, keyID, key, rest).Insert(catalog.AppendValue(nil, num(k)), catalog.AppendValue(nil, str(v)))
	}
}

func (p pairGroups) update(seen crdt.Stamp, k int64, v string) func(*crdt.Body) {
	return func(b *crdt.Body) {
		id, keyID, key, rest := p.ids()
		b.Group(crdt.Update, id, keyID, key, rest).Update(seen, catalog.AppendValue(nil, num(k)), catalog.AppendValue(nil, str(v)))
	}
}

func (p pairGroups) delete(k int64) func(*crdt.Body) {
	return func(b *crdt.Body) {
		id, keyID, key, _ := p.ids()
		b.Group(crdt.Delete, id, keyID, key, nil).Delete(catalog.AppendValue(nil, num(k)))
	}
}

func (n *Node) mustApply(entries ...crdt.Entry) {
	n.Helper()
	if err := n.Apply(context.Background(), entries); err != nil {
		n.Fatalf("apply: %v", err)
	}
}

// at is a stamp's clock, some milliseconds after the node's.
func (n *Node) at(ms int) crdt.HLC { return crdt.MakeHLC(n.Clock.T) + crdt.HLC(ms)<<16 }

func (s suite) unknownTombstone(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	p := pairGroups{Table(n.Schema(), table)}
	n.mustApply(fake(1).Entry(n.at(20), p.delete(5)))
	if d := n.Digest(table); d.Tombstones != 1 || d.Digest != (crdt.Digest{}) {
		t.Errorf("digest is %+v", d)
	}
	n.mustApply(fake(2).Entry(n.at(10), p.insert(5, "old")))
	n.Want(table)
	n.mustApply(fake(3).Entry(n.at(30), p.insert(5, "new")))
	n.Want(table, "5 new")
	if d := n.Digest(table); d.Tombstones != 0 || d.Rows != 1 {
		t.Errorf("digest is %+v", d)
	}
	Same(t, n)
}

func (s suite) revive(t *testing.T) {
	n, m := s.open(t), s.open(t)
	table := n.MustCreate(pair)
	n.Insert(table, num(1), str("first"))
	n.Update(table, num(1), map[int]catalog.Value{1: str("changed")})
	n.Delete(table, num(1))
	n.Want(table)
	n.Insert(table, num(1), str("second"))
	n.Want(table, "1 second")
	m.Pull(n)
	m.Want(table, "1 second")
	Same(t, n, m)
	if d := m.Digest(table); d.Tombstones != 0 {
		t.Errorf("digest is %+v", d)
	}
	// An update of the first row never leaks into the second (rule M1).
	p := pairGroups{Table(n.Schema(), table)}
	seen := crdt.Stamp{HLC: 5, Origin: fake(9).Origin}
	n.mustApply(fake(1).Entry(n.at(100), p.update(seen, 1, "leak")))
	n.Want(table, "1 second")
}

func (s suite) purge(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	for i := range 3 {
		n.Insert(table, num(int64(i)), none)
	}
	n.Delete(table, num(0))
	n.Delete(table, num(1))
	before := n.Clock0()
	n.Delete(table, num(2))
	digest := n.Digest(table).Digest
	got, young, err := n.Purge(context.Background(), n.Vector(), before+1)
	if err != nil || got != 2 || !young {
		t.Errorf("purged %d, %v, young left: %v", got, err, young)
	}
	if d := n.Digest(table); d.Tombstones != 1 || d.Digest != digest {
		t.Errorf("digest is %+v", d)
	}
	Same(t, n)
}

// Clock0 is the greatest stamp that the store has given or seen.
func (n *Node) Clock0() crdt.HLC { return n.Store.Clock() }

func (s suite) partialBulk(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	n.Insert(table, num(50), str("here"))
	vector, digest := n.Vector(), n.Digest(table)
	_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		for i := range 100 {
			if _, err := tx.Insert(Table(tx.Schema(), table), []catalog.Value{num(int64(i)), none}); err != nil {
				return err
			}
		}
		return nil
	})
	var u *sqlstore.UniqueError
	if !errors.As(err, &u) || !u.Index.Primary {
		t.Errorf("got %v", err)
	}
	if !n.Vector().Equal(vector) || n.Digest(table) != digest {
		t.Error("something is left of a transaction that failed")
	}
	n.Want(table, "50 here")
	// What failed alone, DO NOTHING passes over.
	n.MustWrite(func(tx *sqlstore.Tx) error {
		for _, k := range []int64{49, 50, 51} {
			if _, err := tx.Insert(Table(tx.Schema(), table), []catalog.Value{num(k), none}); err != nil && !errors.As(err, &u) {
				return err
			}
		}
		return nil
	})
	n.Want(table, "49 -", "50 here", "51 -")
	m := s.open(t)
	m.Pull(n)
	Same(t, n, m)
}

func (s suite) olderLater(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	p := pairGroups{Table(n.Schema(), table)}
	first := fake(1).Entry(n.at(20), p.insert(1, "a"))
	n.mustApply(first)
	n.mustApply(fake(2).Entry(n.at(10), p.insert(1, "older insert")))
	n.Want(table, "1 a")
	n.mustApply(fake(3).Entry(n.at(40), p.update(first.Stamp(), 1, "b")))
	n.mustApply(fake(4).Entry(n.at(30), p.update(first.Stamp(), 1, "older update")))
	n.Want(table, "1 b")
	n.mustApply(fake(5).Entry(n.at(15), p.delete(1)))
	n.Want(table, "1 b")
	// A clock that is behind, and an equal reading: the node decides (rule M2).
	six := fake(6)
	n.mustApply(six.Entry(n.at(40), p.update(first.Stamp(), 1, "same clock, greater node")))
	n.Want(table, "1 same clock, greater node")
	// Two values of the very same stamp: the one wins whose encoding, length first, is greater (rule M2).
	n.mustApply(six.Entry(n.at(40), p.update(first.Stamp(), 1, "lesser value")))
	n.Want(table, "1 same clock, greater node")
	n.mustApply(six.Entry(n.at(40), p.update(first.Stamp(), 1, "the same stamp, the greater value")))
	n.Want(table, "1 the same stamp, the greater value")
	n.mustApply(fake(7).Entry(n.at(50), p.delete(1)))
	n.mustApply(fake(8).Entry(n.at(60), p.update(first.Stamp(), 1, "of the deleted row")))
	n.Want(table)
	Same(t, n)
}

// equalValue: an UPDATE to the value that is there already is later than another one, which it does not know of (rule M3).
func (s suite) equalValue(t *testing.T) {
	n, m := s.open(t), s.open(t)
	table := n.MustCreate(pair)
	n.Insert(table, num(1), str("a"))
	m.Pull(n)
	m.Update(table, num(1), map[int]catalog.Value{1: str("b")})
	n.Clock.T = m.Clock.T.Add(time.Millisecond)
	n.Update(table, num(1), map[int]catalog.Value{1: str("a")})
	n.Pull(m)
	m.Pull(n)
	n.Want(table, "1 a")
	m.Want(table, "1 a")
	Same(t, n, m)
}

func (s suite) applyTwice(t *testing.T) {
	n, m := s.open(t), s.open(t)
	table := n.MustCreate(pair)
	n.Insert(table, num(1), str("a"))
	n.Update(table, num(1), map[int]catalog.Value{1: str("b")})
	log := Log(t, n.Store)
	m.Clock.T = n.Clock.T
	m.mustApply(log...)
	digest, index := m.Digest(table), m.Index()
	m.mustApply(log...)
	m.mustApply(log[1:]...)
	if m.Digest(table) != digest || m.Index() != index {
		t.Error("applying again changed something")
	}
	n.mustApply(log...) // its own
	Same(t, n, m)
}

func (s suite) gaps(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	p := pairGroups{Table(n.Schema(), table)}
	apply := func(want error, es ...crdt.Entry) {
		t.Helper()
		if err := n.Apply(context.Background(), es); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	a := fake(1)
	a1, a2 := a.Entry(n.at(1), p.insert(1, "a")), a.Entry(n.at(2), p.insert(2, "b"))
	apply(sqlstore.ErrGap, a2)
	apply(nil, a1)
	fork := fake(1)
	other := fork.Entry(n.at(1), p.insert(1, "fork"))
	apply(sqlstore.ErrFork, other)
	apply(sqlstore.ErrFork, fork.Entry(n.at(2), p.insert(2, "fork")))
	// What stands before the entry that cannot be applied is applied.
	b := fake(2)
	b1 := b.Entry(n.at(3), p.insert(3, "c"))
	late := fake(3)
	var body crdt.Body
	p.insert(4, "d")(&body)
	dep := crdt.Entry{Origin: late.Origin, Seq: 1, HLC: n.at(4), Deps: crdt.Vector{b.Origin: 2}}
	crdt.EncodeEntry(&dep, body.Encode())
	apply(sqlstore.ErrDeps, a2, b1, dep)
	n.Want(table, "1 a", "2 b", "3 c")
	b2 := b.Entry(n.at(5), p.delete(3))
	apply(nil, b2, dep)
	n.Want(table, "1 a", "2 b", "4 d")
	ahead := fake(4).Entry(n.at(100_000), p.insert(9, "ahead"))
	apply(crdt.ErrAhead, ahead)
	n.Want(table, "1 a", "2 b", "4 d")
	self := n.Insert(table, num(10), none).Origin
	forged := &Fake{Origin: self, seq: 100, prev: [32]byte{1}}
	apply(sqlstore.ErrSelf, forged.Entry(n.at(1), p.insert(11, "forged")))
	Same(t, n)
}

func (s suite) malformed(t *testing.T) {
	n := s.open(t)
	table := n.MustCreate(pair)
	p := pairGroups{Table(n.Schema(), table)}
	e := fake(1).Entry(n.at(1), p.insert(1, "a"))
	e.Bytes = append([]byte(nil), e.Bytes[:len(e.Bytes)-1]...)
	if err := n.Apply(context.Background(), []crdt.Entry{e}); !errors.Is(err, crdt.ErrMalformed) {
		t.Errorf("got %v", err)
	}
	n.Want(table)
	Same(t, n)
}

// anyOrder lets three nodes write at random, exchanging entries now and then, and then gives all entries to fresh
// stores in random orders that respect the dependencies.
func (s suite) anyOrder(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			w := NewWorkload(t, rand.New(rand.NewPCG(seed, 1)), s.open(t), s.open(t), s.open(t))
			for range 120 {
				w.Step()
			}
			w.Converge()
			for range 2 {
				fresh := s.open(t)
				w.Replay(fresh)
				Same(t, append(w.Nodes, fresh)...)
			}
		})
	}
}

func (s suite) reopen(t *testing.T) {
	c := s.config(t)
	n := OpenNode(t, c)
	table := n.MustCreate(pair)
	first := n.Insert(table, num(1), str("a"))
	n.Insert(table, num(2), str("b"))
	n.Delete(table, num(2))
	if err := n.PutLocal("note", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	self, vector, digest, index, last := n.Self(), n.Vector(), n.Digest(table), n.Index(), n.Clock0()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Write(context.Background(), func(*sqlstore.Tx) error { return nil }); !errors.Is(err, sqlstore.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	m := OpenNode(t, c) // its clock stands where the first one started
	defer m.Close()
	m.Want(table, "1 a")
	if m.Self() != self || !m.Vector().Equal(vector) || m.Digest(table) != digest || m.Index() != index {
		t.Error("the store is not as it was")
	}
	if v, _ := m.GetLocal("note"); string(v) != "kept" {
		t.Errorf("note is %q", v)
	}
	again := m.Insert(table, num(3), str("c"))
	if again.Origin == first.Origin || again.Seq != 1 {
		t.Errorf("rule E2: %+v after %+v", again, first)
	}
	if again.HLC <= last || again.Origin.Epoch.First <= last {
		t.Errorf("rule E4: %x after %x", again.HLC, last)
	}
	Same(t, m)
}
