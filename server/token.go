package server

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
)

// A session token is a version vector as text: what a session has seen, to be waited for on another node. What a node
// has applied it has for good, so that one wait is enough: layercake.wait_for() and setting layercake.causal_token are
// the same, but that a connection string can hold a setting.

const causalToken = "layercake.causal_token"

func checkToken(v string) (string, error) {
	if v == "" {
		return "", nil
	}
	_, err := decodeToken(v)
	return v, err
}

// behind returns what waits until this node has all that a token names; nil if it has. "" names nothing.
func (n *Node) behind(token string, timeout time.Duration) (wait func(context.Context) error, err error) {
	if token == "" {
		return nil, nil
	}
	v, err := decodeToken(token)
	if err != nil || n.store.Vector().Covers(v) {
		return nil, err
	}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, timeout, pgerror.New(pgerror.InsufficientResources,
			"this node has not caught up with the session token in time"))
		defer cancel()
		for {
			changed := n.store.Changed()
			if n.store.Vector().Covers(v) {
				return nil
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}, nil
}

// awaitToken waits until this node has all that a token names.
func (s *session) awaitToken(ctx context.Context, token string) error {
	wait, err := s.node.behind(token, s.settings.timeout)
	if err != nil || wait == nil {
		return err
	}
	return wait(ctx)
}

func encodeToken(v crdt.Vector) string {
	var b []byte
	for o, n := range v {
		b = binary.BigEndian.AppendUint64(b, uint64(o.Node))
		b = binary.BigEndian.AppendUint64(b, uint64(o.Epoch.First))
		b = binary.BigEndian.AppendUint32(b, o.Epoch.Random)
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return "lc1." + base64.RawURLEncoding.EncodeToString(b)
}

func decodeToken(s string) (crdt.Vector, error) {
	bad := pgerror.New(pgerror.InvalidTextRepresentation, "invalid session token: \"%s\"", s)
	enc, ok := strings.CutPrefix(s, "lc1.")
	if !ok {
		return nil, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(enc)
	if err != nil || len(b)%28 != 0 {
		return nil, bad
	}
	v := crdt.Vector{}
	for ; len(b) > 0; b = b[28:] {
		o := crdt.Origin{Node: crdt.NodeID(binary.BigEndian.Uint64(b)),
			Epoch: crdt.Epoch{First: crdt.HLC(binary.BigEndian.Uint64(b[8:])), Random: binary.BigEndian.Uint32(b[16:])}}
		v[o] = binary.BigEndian.Uint64(b[20:])
	}
	return v, nil
}

// transactionStatus says what this node knows of a transaction: "applied" here, "unknown" here.
func (n *Node) transactionStatus(id string) (string, error) {
	o, seq, err := replication.ParseTransactionID(id)
	if err != nil {
		return "", err
	}
	if n.store.Vector()[o] >= seq && seq > 0 {
		return "applied", nil
	}
	return "unknown", nil
}
