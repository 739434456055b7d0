package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/hashicorp/memberlist"
)

// metaVersion is the first byte of a node's metadata.
const metaVersion = 1

// appendMeta encodes what memberlist carries with each node: at most 512 bytes.
func appendMeta(b []byte, n Node) []byte {
	b = append(b, metaVersion, byte(n.State))
	b = binary.BigEndian.AppendUint64(b, n.ID)
	b = binary.BigEndian.AppendUint64(b, n.Cluster)
	for _, s := range []string{n.Name, n.DC, n.RPCAddr, n.PGAddr, n.Addr} {
		s = s[:min(len(s), 255)]
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	return b
}

var errMeta = errors.New("cluster: malformed node metadata")

// parseMeta decodes what appendMeta wrote. The bytes come from outside.
func parseMeta(b []byte) (Node, error) {
	var n Node
	if len(b) < 18 || b[0] != metaVersion || b[1] > byte(Left) {
		return n, errMeta
	}
	n.State = State(b[1])
	n.ID = binary.BigEndian.Uint64(b[2:])
	n.Cluster = binary.BigEndian.Uint64(b[10:])
	b = b[18:]
	for _, s := range []*string{&n.Name, &n.DC, &n.RPCAddr, &n.PGAddr, &n.Addr} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return n, errMeta
		}
		*s = string(b[1 : 1+int(b[0])])
		b = b[1+int(b[0]):]
	}
	return n, nil
}

// parse reads a memberlist node. What memberlist thinks of its state it does not tell; Left is what the node said.
func parse(m *memberlist.Node) (Node, error) {
	n, err := parseMeta(m.Meta)
	if err != nil {
		return n, err
	}
	if n.Addr == "" {
		n.Addr = net.JoinHostPort(m.Addr.String(), strconv.Itoa(int(m.Port)))
	}
	return n, nil
}

// delegate receives memberlist's calls. They run under memberlist's locks: nothing here blocks or calls back.
type delegate struct{ g *Gossip }

// NodeMeta gives the metadata that goes with this node.
func (d delegate) NodeMeta(limit int) []byte {
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	b := appendMeta(nil, d.g.self)
	if len(b) > limit {
		d.g.log.Error("node metadata is too long for gossip; use shorter names", "bytes", len(b), "limit", limit)
		return nil
	}
	return b
}

// NotifyMsg takes a goodbye, the only message there is: the id of a node that leaves on purpose.
func (d delegate) NotifyMsg(b []byte) {
	if len(b) != 8 {
		return
	}
	id := binary.BigEndian.Uint64(b)
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	if n, ok := d.g.nodes[id]; ok {
		n.State = Left
		d.g.nodes[id] = n
	}
}

// GetBroadcasts, LocalState and MergeRemoteState have nothing to do: gossip carries metadata only.
func (d delegate) GetBroadcasts(int, int) [][]byte   { return nil }
func (d delegate) LocalState(bool) []byte            { return nil }
func (d delegate) MergeRemoteState(_ []byte, _ bool) {}
func (d delegate) NotifyConflict(a, b *memberlist.Node) {
	d.g.log.Error("two running nodes have one id, unless one has just moved: was a data folder copied, or a backup restored, while its node runs?",
		"node", a.Name, "address", a.Address(), "other", b.Address())
}

// admit refuses nodes of other clusters. A node that has joined none yet is let in.
func (d delegate) admit(m *memberlist.Node) error {
	n, err := parse(m)
	if err != nil {
		return err
	}
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	own := d.g.self.Cluster
	if n.Cluster == 0 || own == 0 || n.Cluster == own {
		return nil
	}
	err = fmt.Errorf("cluster: %s at %s: %w (its cluster is %016x, this node's is %016x)", n.Name, n.Addr,
		ErrOtherCluster, n.Cluster, own)
	d.g.refused = err
	return err
}

// NotifyMerge refuses to merge with another cluster.
func (d delegate) NotifyMerge(peers []*memberlist.Node) error {
	for _, m := range peers {
		if err := d.admit(m); err != nil {
			return err
		}
	}
	return nil
}

// NotifyAlive refuses a single node of another cluster.
func (d delegate) NotifyAlive(m *memberlist.Node) error { return d.admit(m) }

// NotifyJoin notes that a node is there.
func (d delegate) NotifyJoin(m *memberlist.Node) { d.note(m, false) }

// NotifyLeave notes that a node is dead or has left.
func (d delegate) NotifyLeave(m *memberlist.Node) { d.note(m, true) }

// NotifyUpdate notes that a node says something new of itself.
func (d delegate) NotifyUpdate(m *memberlist.Node) { d.note(m, false) }

func (d delegate) note(m *memberlist.Node, gone bool) {
	n, err := parse(m)
	if err != nil || n.ID == d.g.cfg.Self.ID {
		return
	}
	d.g.mu.Lock()
	if gone && n.State != Left && d.g.nodes[n.ID].State != Left {
		n.State = Dead
	} else if gone {
		n.State = Left
	}
	d.g.nodes[n.ID] = n
	d.g.mu.Unlock()
	d.g.changed()
}
