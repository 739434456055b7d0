package replication

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"layercake/pgerror"
	"layercake/replication/core"
)

// numberStart begins the names of the registers that Grant takes numbers from.
const numberStart = "number/"

// Number reads what Grant would give next of a register; known is false if it was never used. A majority must be
// reachable, else the error is 53000.
func (r *Replicator) Number(ctx context.Context, register string) (next int64, known bool, err error) {
	b, err := r.propose(ctx, register, func(cur []byte) ([]byte, []byte, error) { return nil, cur, nil })
	if err != nil || b == nil {
		return 0, false, err
	}
	return core.Number(b), true, nil
}

// propose changes a register of numbers and returns the change's result.
func (r *Replicator) propose(ctx context.Context, register string, change core.Change) ([]byte, error) {
	if err := r.Check(Quorum, Write); err != nil {
		return nil, err
	}
	p, err := r.begin(r.cfg.ConsistencyTimeout, func(n *core.Node, now time.Time) (core.Ticket, bool) {
		return n.Propose(now, numberStart+register, change), false
	})
	if err != nil {
		return nil, err
	}
	d, ok, err := r.await(ctx, p, nil)
	if !ok {
		if why := interrupted(ctx, err); why != nil {
			return nil, why
		}
		return nil, pgerror.New(pgerror.InsufficientResources,
			"a majority of the members did not decide in time on the next numbers of %q; safe to retry", register)
	}
	return d.Value, d.Err
}

// Found makes the store, a copy of a member's under a node id of its own, that of the only member of a new cluster. All
// who have written in the old one count as removed from the new one. The registers go on from the given numbers, which
// Number told after the copy was made; one that is not given goes on from what the copied member had accepted itself.
func Found(store Store, name string, numbers map[string]int64) error {
	self := store.Self()
	get, put := store.GetLocal, store.PutLocal
	b, err := get(core.ListKey)
	if err != nil {
		return fmt.Errorf("replication: read the member list: %w", err)
	}
	if b == nil {
		return errors.New("replication: the copy is of a node that was no member of a cluster")
	}
	old, err := core.DecodeList(b)
	if err != nil {
		return fmt.Errorf("replication: the stored member list: %w", err)
	}
	if old.Has(self) || old.IsRetired(self) {
		return errors.New("replication: the copy has its old node id")
	}
	list := core.FirstList(core.ClusterID(randomID()), core.Member{ID: self, Name: name, DC: "dc1"})
	list.Retired = slices.Clone(old.Retired)
	for _, m := range old.Members {
		list.Retired = append(list.Retired, core.Retired{ID: m.ID, Name: m.Name, DC: m.DC})
	}
	for o := range store.Vector() {
		if !list.IsRetired(o.Node) {
			list.Retired = append(list.Retired, core.Retired{ID: o.Node, Name: fmt.Sprintf("%016x", uint64(o.Node)), DC: "dc1"})
		}
	}
	slices.SortFunc(list.Retired, func(a, b core.Retired) int { return cmp.Compare(a.ID, b.ID) })

	if b, err = get(core.RegistersKey); err != nil {
		return fmt.Errorf("replication: read the registers: %w", err)
	}
	names, err := core.DecodeNames(b)
	if err != nil {
		return fmt.Errorf("replication: the stored registers: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == core.MembersRegister })
	for name, next := range numbers {
		if name = numberStart + name; !slices.Contains(names, name) {
			names = append(names, name)
		}
		if err := put(core.RegisterKey(name), core.FirstRegister(self, core.AppendNumber(next))); err != nil {
			return err
		}
	}
	slices.Sort(names)
	for key, val := range map[string][]byte{core.RegistersKey: core.AppendNames(nil, names), core.RegisterKey(core.MembersRegister): nil,
		core.RollbackKey: nil, joiningKey: nil} {
		if err := put(key, val); err != nil {
			return err
		}
	}
	return put(core.ListKey, core.AppendList(nil, list)) // at last: with it the folder is a member's
}
