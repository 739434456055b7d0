package server

import (
	"context"
	"fmt"
	"time"

	"layercake/pgerror"
)

// memberChange bounds at least how long a removal waits for the members to decide: they may first have to complete the
// change before it.
const memberChange = 15 * time.Second

// RemoveNode implements sqlfunc.Cluster.
func (f *functions) RemoveNode(name string) (string, error) {
	if err := f.mayChangeMembers(); err != nil {
		return "", err
	}
	return fetch(f, "remove_node "+name, func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, max(f.s.settings.timeout, memberChange))
		defer cancel()
		wasUp, err := f.s.node.repl.Remove(ctx, name)
		switch {
		case err != nil:
			return "", err
		case wasUp:
			return fmt.Sprintf("%s is removed; it was running: what only it had is lost to the cluster (layercake leave would have handed it over)", name), nil
		}
		return name + " is removed", nil
	})
}

// Leave implements sqlfunc.Cluster.
func (f *functions) Leave() (string, error) {
	if err := f.mayChangeMembers(); err != nil {
		return "", err
	}
	return fetch(f, "leave", func(ctx context.Context) (string, error) {
		if err := f.s.node.repl.Leave(ctx); err != nil {
			return "", err
		}
		return f.s.node.cfg.Name + " has left the cluster; its process can be stopped and its data folder deleted", nil
	})
}

func (f *functions) mayChangeMembers() error {
	if f.s.isSuperuser(f.s.user) {
		return nil
	}
	return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to change the members of the cluster").
		WithHint("Only superusers may.")
}

// Removed says whether this node was removed from its cluster, or has left it.
func (n *Node) Removed() bool { return n.repl.Removed() }

// LogEntries counts the entries that the replication log holds: those that some member may still need.
func (n *Node) LogEntries() int {
	var sum uint64
	trimmed := n.store.Trimmed()
	for o, seq := range n.store.Vector() {
		sum += seq - trimmed[o]
	}
	return int(sum)
}
