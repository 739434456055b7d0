package server

import (
	"context"
	"encoding/binary"
	"slices"
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
	var buf [5 + len(keyBytes{})]byte
	b := append(buf[:0], 'k')
	b = binary.LittleEndian.AppendUint32(b, index)
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
	held    map[lockKey]heldLock
	order   []lockKey // in the order of acquisition, for ROLLBACK TO
	waiting *lock     // guarded by lockTable.mu
	pid     uint32
}

type heldLock struct {
	count     int
	exclusive bool
}

func newLockOwner(pid uint32) *lockOwner { return &lockOwner{held: map[lockKey]heldLock{}, pid: pid} }

func (o *lockOwner) holds(k lockKey) bool {
	_, ok := o.held[k]
	return ok
}

type lock struct {
	key     lockKey
	holders lockUsers
	waiters lockUsers
	changed chan struct{} // closed at the next release; nil: nobody waits for that
	first   [1]lockUser   // memory for holders: there are seldom more
}

// lockUser is who holds a lock or waits for it, exclusively or not.
type lockUser struct {
	owner     *lockOwner
	exclusive bool
}

type lockUsers []lockUser

// add adds o, or makes it an exclusive one.
func (l *lockUsers) add(o *lockOwner, exclusive bool) {
	for i := range *l {
		if u := &(*l)[i]; u.owner == o {
			u.exclusive = u.exclusive || exclusive
			return
		}
	}
	*l = append(*l, lockUser{o, exclusive})
}

func (l *lockUsers) remove(o *lockOwner) {
	*l = slices.DeleteFunc(*l, func(u lockUser) bool { return u.owner == o })
}

// exclude says whether one of them keeps o from the lock.
func (l lockUsers) exclude(o *lockOwner, exclusive bool) bool {
	for _, u := range l {
		if u.owner != o && (u.exclusive || exclusive) {
			return true
		}
	}
	return false
}

// tableUse names who holds rows of a table, so that a lock on the whole table and locks on its rows exclude each other.
type tableUse struct {
	table catalog.ID
	owner *lockOwner
}

// lockTable holds the reservations of open transactions on this node. A remote entry never waits for one.
type lockTable struct {
	mu     sync.Mutex
	locks  map[lockKey]*lock
	tables map[tableUse]int // how many rows and keys these are
}

func newLockTable() *lockTable {
	return &lockTable{locks: map[lockKey]*lock{}, tables: map[tableUse]int{}}
}

// tryLocked takes the lock if nobody else is in the way, else returns the lock to wait for. Callers hold mu.
func (lt *lockTable) tryLocked(o *lockOwner, k lockKey, exclusive bool) *lock {
	h, held := o.held[k]
	if held && (h.exclusive || !exclusive) {
		h.count++
		o.held[k] = h
		return nil
	}
	isRow := k.ofTable()
	if isRow {
		if tl := lt.locks[tableKey(k.object)]; tl != nil && tl.holders.exclude(o, exclusive) {
			return tl
		}
	}
	l := lt.locks[k]
	if l == nil {
		l = &lock{key: k}
		l.holders = l.first[:0]
		lt.locks[k] = l
	}
	if l.holders.exclude(o, exclusive) {
		return l
	}
	if k.key == "" && exclusive {
		for use := range lt.tables {
			if use.table == k.object && use.owner != o {
				return l
			}
		}
	}
	if isRow && !held {
		lt.tables[tableUse{k.object, o}]++
	}
	l.holders.add(o, exclusive)
	if !held {
		o.order = append(o.order, k)
	}
	o.held[k] = heldLock{count: h.count + 1, exclusive: exclusive}
	return nil
}

// blockers lists who keeps o from lock l. Callers hold mu.
func (lt *lockTable) blockers(o *lockOwner, l *lock) []*lockOwner {
	var out []*lockOwner
	for _, u := range l.holders {
		if u.owner != o {
			out = append(out, u.owner)
		}
	}
	if l.key.key == "" {
		for use := range lt.tables {
			if use.table == l.key.object && use.owner != o {
				out = append(out, use.owner)
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
		l.waiters.add(o, exclusive)
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
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
		l.waiters.remove(o)
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
		use := tableUse{k.object, o}
		if n := lt.tables[use]; n > 1 {
			lt.tables[use] = n - 1
		} else {
			delete(lt.tables, use)
			if tl := lt.locks[tableKey(k.object)]; tl != nil {
				tl.wake()
			}
		}
	}
	if l := lt.locks[k]; l != nil {
		l.holders.remove(o)
		l.wake()
		lt.dropIfIdle(l)
	}
}

func (l *lock) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// releaseFrom gives back what o took after its first n locks (ROLLBACK TO); 0 gives back all.
func (lt *lockTable) releaseFrom(o *lockOwner, n int) {
	if len(o.order) <= n {
		return
	}
	lt.mu.Lock()
	defer lt.mu.Unlock()
	for _, k := range o.order[n:] {
		if o.holds(k) {
			lt.releaseLocked(o, k)
		}
	}
	o.order = o.order[:n]
}

// unlock gives one level of an advisory lock back and says whether it was held.
func (lt *lockTable) unlock(o *lockOwner, k lockKey) bool {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	h, held := o.held[k]
	if !held {
		return false
	}
	h.count--
	o.held[k] = h
	if h.count == 0 {
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
