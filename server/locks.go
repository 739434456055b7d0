package server

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
)

// lockKey names what is reserved: a row by its rowid, a key of a unique index, an advisory number, or (row and key
// empty) a whole table.
type lockKey struct {
	object catalog.ID // table
	key    string
}

func rowKey(table catalog.ID, rowid int64) lockKey { return rowidKey('r', table, rowid) }

// parentKey names a row as what others refer to by FOREIGN KEY: rows that refer to it share it, a statement that deletes
// the row or changes its key takes it alone. An UPDATE of other columns does not: it holds up no INSERT of a child.
func parentKey(table catalog.ID, rowid int64) lockKey { return rowidKey('p', table, rowid) }

func rowidKey(kind byte, table catalog.ID, rowid int64) lockKey {
	var b [9]byte
	b[0] = kind
	binary.LittleEndian.PutUint64(b[1:], uint64(rowid))
	return lockKey{table, string(b[:])}
}

// uniqueKey names a key of a unique index of table.
func uniqueKey(table catalog.ID, index uint32, encoded []byte) lockKey {
	b := make([]byte, 5, 5+len(encoded))
	b[0] = 'k'
	binary.LittleEndian.PutUint32(b[1:], index)
	return lockKey{table, string(append(b, encoded...))}
}

func tableKey(table catalog.ID) lockKey { return lockKey{object: table} }

// ofTable says whether k is a row or key of a table, which a lock on the whole table covers.
func (k lockKey) ofTable() bool {
	return k.key != "" && (k.key[0] == 'r' || k.key[0] == 'p' || k.key[0] == 'k')
}

func advisoryKey(n int64) lockKey {
	var b [9]byte
	b[0] = 'a'
	binary.LittleEndian.PutUint64(b[1:], uint64(n))
	return lockKey{key: string(b[:])}
}

// lockOwner is a transaction (or a session, for advisory locks) as the lock table knows it.
type lockOwner struct {
	held    map[lockKey]*heldLock
	order   []lockKey // in the order of acquisition, for ROLLBACK TO
	waiting *lock     // guarded by lockTable.mu
	pid     uint32
}

type heldLock struct {
	count     int
	exclusive bool
}

func newLockOwner(pid uint32) *lockOwner { return &lockOwner{held: map[lockKey]*heldLock{}, pid: pid} }

type lock struct {
	key     lockKey
	holders map[*lockOwner]bool // true: exclusive
	waiters map[*lockOwner]bool // true: for an exclusive lock
	changed chan struct{}       // closed and replaced at each release
}

// tableUse counts who holds rows of a table, so that a lock on the whole table and locks on its rows exclude each other.
type tableUse struct {
	rows map[*lockOwner]int
}

// lockTable holds the reservations of open transactions on this node. A remote entry never waits for one.
type lockTable struct {
	mu     sync.Mutex
	locks  map[lockKey]*lock
	tables map[catalog.ID]*tableUse
}

func newLockTable() *lockTable {
	return &lockTable{locks: map[lockKey]*lock{}, tables: map[catalog.ID]*tableUse{}}
}

// tryLocked takes the lock if nobody else is in the way, else returns the lock to wait for. Callers hold mu.
func (lt *lockTable) tryLocked(o *lockOwner, k lockKey, exclusive bool) *lock {
	h := o.held[k]
	if h != nil && (h.exclusive || !exclusive) {
		h.count++
		return nil
	}
	isRow := k.ofTable()
	if isRow {
		if tl := lt.locks[tableKey(k.object)]; tl != nil {
			for other, x := range tl.holders {
				if other != o && (x || exclusive) {
					return tl
				}
			}
		}
	}
	l := lt.locks[k]
	if l == nil {
		l = &lock{key: k, holders: map[*lockOwner]bool{}, waiters: map[*lockOwner]bool{}, changed: make(chan struct{})}
		lt.locks[k] = l
	}
	for other, x := range l.holders {
		if other != o && (x || exclusive) {
			return l
		}
	}
	if k.key == "" && exclusive {
		if use := lt.tables[k.object]; use != nil {
			for other := range use.rows {
				if other != o {
					return l
				}
			}
		}
	}
	if isRow && h == nil {
		use := lt.tables[k.object]
		if use == nil {
			use = &tableUse{rows: map[*lockOwner]int{}}
			lt.tables[k.object] = use
		}
		use.rows[o]++
	}
	l.holders[o] = l.holders[o] || exclusive
	if h == nil {
		o.held[k] = &heldLock{count: 1, exclusive: exclusive}
		o.order = append(o.order, k)
	} else {
		h.count++
		h.exclusive = true
	}
	return nil
}

// blockers lists who keeps o from lock l. Callers hold mu.
func (lt *lockTable) blockers(o *lockOwner, l *lock) []*lockOwner {
	var out []*lockOwner
	for other := range l.holders {
		if other != o {
			out = append(out, other)
		}
	}
	if l.key.key == "" {
		if use := lt.tables[l.key.object]; use != nil {
			for other := range use.rows {
				if other != o {
					out = append(out, other)
				}
			}
		}
	}
	return out
}

// try takes every lock or none beyond those it could get; it returns the first that is in the way.
func (lt *lockTable) try(o *lockOwner, keys []lockKey, exclusive bool) (blocked *lockKey) {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	for i := range keys {
		if l := lt.tryLocked(o, keys[i], exclusive); l != nil {
			lt.dropIfIdle(l)
			return &keys[i]
		}
	}
	return nil
}

// free says whether nobody but o holds the lock.
func (lt *lockTable) free(o *lockOwner, k lockKey) bool {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	for _, k := range []lockKey{k, tableKey(k.object)} {
		if l := lt.locks[k]; l != nil && len(lt.blockers(o, &lock{key: lockKey{key: "-"}, holders: l.holders})) > 0 {
			return false
		}
	}
	return true
}

// acquire takes the lock, waiting for it until ctx ends or timeout (0: none) has passed. It says whether it waited.
// A wait that would close a circle is refused with 40P01.
func (lt *lockTable) acquire(ctx context.Context, o *lockOwner, k lockKey, exclusive bool, timeout time.Duration) (waited bool, err error) {
	var expired <-chan time.Time
	for {
		lt.mu.Lock()
		l := lt.tryLocked(o, k, exclusive)
		if l == nil {
			lt.mu.Unlock()
			return waited, nil
		}
		if lt.wouldDeadlock(o, l) {
			lt.dropIfIdle(l)
			lt.mu.Unlock()
			return waited, pgerror.New(pgerror.DeadlockDetected, "deadlock detected").
				WithHint("Retry the transaction.")
		}
		o.waiting = l
		l.waiters[o] = exclusive
		changed := l.changed
		lt.mu.Unlock()

		if timeout > 0 && expired == nil {
			t := time.NewTimer(timeout)
			defer t.Stop()
			expired = t.C
		}
		waited = true
		select {
		case <-changed:
		case <-expired:
			err = pgerror.New(pgerror.LockNotAvailable, "canceling statement due to lock timeout")
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		lt.mu.Lock()
		o.waiting = nil
		delete(l.waiters, o)
		lt.dropIfIdle(l)
		lt.mu.Unlock()
		if err != nil {
			return waited, err
		}
	}
}

func (lt *lockTable) wouldDeadlock(o *lockOwner, l *lock) bool {
	seen := map[*lockOwner]bool{}
	var visit func(l *lock, of *lockOwner) bool
	visit = func(l *lock, of *lockOwner) bool {
		for _, b := range lt.blockers(of, l) {
			if b == o {
				return true
			}
			if !seen[b] {
				seen[b] = true
				if b.waiting != nil && visit(b.waiting, b) {
					return true
				}
			}
		}
		return false
	}
	return visit(l, o)
}

func (lt *lockTable) dropIfIdle(l *lock) {
	if len(l.holders) == 0 && len(l.waiters) == 0 && lt.locks[l.key] == l {
		delete(lt.locks, l.key)
	}
}

// releaseLocked gives one lock back whole. Callers hold mu.
func (lt *lockTable) releaseLocked(o *lockOwner, k lockKey) {
	delete(o.held, k)
	if k.ofTable() {
		if use := lt.tables[k.object]; use != nil {
			if use.rows[o]--; use.rows[o] <= 0 {
				delete(use.rows, o)
				if tl := lt.locks[tableKey(k.object)]; tl != nil {
					tl.wake()
				}
			}
			if len(use.rows) == 0 {
				delete(lt.tables, k.object)
			}
		}
	}
	if l := lt.locks[k]; l != nil {
		delete(l.holders, o)
		l.wake()
		lt.dropIfIdle(l)
	}
}

func (l *lock) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// releaseFrom gives back what o took after its first n locks (ROLLBACK TO); 0 gives back all.
func (lt *lockTable) releaseFrom(o *lockOwner, n int) {
	if len(o.order) <= n {
		return
	}
	lt.mu.Lock()
	defer lt.mu.Unlock()
	for _, k := range o.order[n:] {
		if o.held[k] != nil {
			lt.releaseLocked(o, k)
		}
	}
	o.order = o.order[:n]
}

// unlock gives one level of an advisory lock back and says whether it was held.
func (lt *lockTable) unlock(o *lockOwner, k lockKey) bool {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	h := o.held[k]
	if h == nil {
		return false
	}
	if h.count--; h.count == 0 {
		lt.releaseLocked(o, k)
		for i, q := range o.order {
			if q == k {
				o.order = append(o.order[:i], o.order[i+1:]...)
				break
			}
		}
	}
	return true
}
