package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"layercake/crdt"
	"layercake/replication/core"
)

// A snapshot travels on a connection of its own: first its size (8 bytes), then its bytes in frames.

var snapshotDesc = grpc.StreamDesc{StreamName: "Snapshot", ServerStreams: true, ClientStreams: true}

const snapshotMethod = "/" + service + "/Snapshot"

// fetch is a snapshot that is coming in. Its fields are protected by Replicator.mu.
type fetch struct {
	from      core.Member
	began     time.Time
	got, size int64
}

// state is what views show of it.
func (f *fetch) state(now time.Time) string {
	const mb = 1 << 20
	if f.got == 0 {
		return "snapshot: the donor is copying"
	}
	if f.got >= f.size {
		return fmt.Sprintf("snapshot: %d MB are here and being put in place", f.size/mb)
	}
	speed := float64(f.got) / max(now.Sub(f.began).Seconds(), 1e-3)
	return fmt.Sprintf("snapshot: %d of %d MB, %.0f MB/s, %.0f s left", f.got/mb, f.size/mb, speed/mb, float64(f.size-f.got)/speed)
}

// serveSnapshot sends this node's state to a member that asks for it.
func (r *Replicator) serveSnapshot(ss grpc.ServerStream) error {
	var ask frame
	if err := ss.RecvMsg(&ask); err != nil {
		return err
	}
	if len(ask.bytes) != 16 {
		return status.Error(codes.InvalidArgument, "malformed")
	}
	id, node := core.ClusterID(binary.BigEndian.Uint64(ask.bytes)), crdt.NodeID(binary.BigEndian.Uint64(ask.bytes[8:]))
	r.mu.Lock()
	l, joining := r.core.List(), r.core.Joining() || r.core.NeedsSnapshot()
	r.mu.Unlock()
	switch {
	case l.Version == 0 || id != l.Cluster || !l.Has(node):
		return status.Error(codes.FailedPrecondition, "not a member of this cluster")
	case joining:
		return status.Error(codes.Unavailable, "this node has not caught up itself")
	}
	select {
	case r.copies <- struct{}{}:
		defer func() { <-r.copies }()
	default:
		return status.Error(codes.ResourceExhausted, "another snapshot is being sent")
	}
	ctx, cancel := context.WithCancel(ss.Context())
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	m, _ := l.Member(node)
	began := r.cfg.Now()
	copied, size, err := r.cfg.Store.Copy(ctx)
	if err != nil {
		r.cfg.Logger.Error("could not copy the database for a snapshot", "peer", m.Name, "err", err)
		return status.Error(codes.Unavailable, "no snapshot could be made")
	}
	defer copied.Close()
	r.cfg.Logger.Info("sending a snapshot", "peer", m.Name, "bytes", size, "copied_in", r.cfg.Now().Sub(began))
	if err := ss.SendMsg(&frame{parts: [][]byte{binary.BigEndian.AppendUint64(nil, uint64(size))}}); err != nil {
		return err
	}
	for {
		b := make([]byte, maxFrame) // gRPC keeps it
		n, err := io.ReadFull(copied, b)
		if n > 0 {
			if err := ss.SendMsg(&frame{parts: [][]byte{b[:n]}}); err != nil {
				return err
			}
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return ctx.Err()
		}
		if err != nil {
			return status.Error(codes.Unavailable, "the snapshot could not be read")
		}
	}
}

// fetchSnapshot takes a member's snapshot and puts it in place of this node's state.
func (r *Replicator) fetchSnapshot(ctx context.Context, from core.Member) error {
	conn, err := r.connect(from.RPCAddr)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := conn.NewStream(ctx, &snapshotDesc, snapshotMethod)
	if err != nil {
		return err
	}
	ask := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(r.Cluster())), uint64(r.self))
	if err := s.SendMsg(&frame{parts: [][]byte{ask}}); err != nil {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	in := &snapshotReader{r: r, stream: s, f: &fetch{from: from, began: r.cfg.Now()}}
	r.setFetch(in.f)
	defer r.setFetch(nil)
	r.cfg.Logger.Info("taking a snapshot: the others no longer have the log that this node lacks", "peer", from.Name)
	var head frame
	if err := s.RecvMsg(&head); err != nil {
		return err
	}
	if len(head.bytes) != 8 {
		return core.ErrMalformed
	}
	r.mu.Lock()
	in.f.size, in.f.began = int64(binary.BigEndian.Uint64(head.bytes)), r.cfg.Now()
	in.said = in.f.began
	r.mu.Unlock()
	if err := r.cfg.Store.Install(ctx, in); err != nil {
		return err
	}
	r.cfg.Logger.Info("the snapshot is in place", "peer", from.Name, "bytes", in.f.size, "took", r.cfg.Now().Sub(in.f.began))
	return nil
}

func (r *Replicator) setFetch(f *fetch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetch = f
}

// snapshotReader reads the bytes off the stream, and tells how it goes.
type snapshotReader struct {
	r      *Replicator
	stream stream
	f      *fetch
	left   []byte
	said   time.Time
}

var errCutShort = errors.New("replication: the snapshot ends too early")

func (in *snapshotReader) Read(p []byte) (int, error) {
	for len(in.left) == 0 {
		var f frame
		err := in.stream.RecvMsg(&f)
		r := in.r
		r.mu.Lock()
		in.f.got += int64(len(f.bytes))
		got, size, now := in.f.got, in.f.size, r.cfg.Now()
		text := in.f.state(now)
		r.mu.Unlock()
		if err == io.EOF && got != size {
			err = errCutShort
		}
		if err != nil {
			return 0, err
		}
		if got > size {
			return 0, core.ErrMalformed
		}
		if now.Sub(in.said) > 5*time.Second {
			in.said = now
			r.cfg.Logger.Info(text, "peer", in.f.from.Name)
		}
		in.left = f.bytes
	}
	n := copy(p, in.left)
	in.left = in.left[n:]
	return n, nil
}
