package replication

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"layercake/pgerror"
)

// The gRPC service is written by hand: three methods whose messages are bytes. Link is the one stream of a pair of nodes,
// Join the question of a node that is not a member yet, Snapshot that of one that cannot catch up from logs.
const (
	linkMethod = "/" + service + "/Link"
	joinMethod = "/" + service + "/Join"
)

// service grows its number with each change of messages or entries that a program of before cannot read. The two then do
// not link, and whoever needs the other's answer is told so at once; else streams would stop at what cannot be read.
const service = "layercake.v3.Replication"

// maxFrame bounds what is given to gRPC at once. Longer messages are cut, so that small ones can pass between the parts,
// and so that a slow link shows that it is alive: a frame is heard only when all of it is there, and a peer that is not
// heard for 2.5 s is cut off. With 1 MiB a large entry never came over 200 kB/s.
const maxFrame = 64 << 10

// maxAnswer bounds what is taken from gRPC at once: a frame, or the answer to Join.
const maxAnswer = 1 << 20

// frame is what travels: parts to be sent one after the other, or the bytes that came.
type frame struct {
	parts [][]byte
	bytes []byte
}

// codec hands bytes through. What is sent is not copied: it is never changed.
type codec struct{}

func (codec) Name() string { return "layercake" }

func (codec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*frame)
	if !ok {
		return nil, errors.New("replication: not a frame")
	}
	out := make(mem.BufferSlice, 0, len(f.parts))
	for _, p := range f.parts {
		out = append(out, mem.SliceBuffer(p))
	}
	return out, nil
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return errors.New("replication: not a frame")
	}
	f.bytes = data.Materialize() // a copy, as entries outlive gRPC's buffers
	return nil
}

var linkDesc = grpc.StreamDesc{StreamName: "Link", ServerStreams: true, ClientStreams: true}

// newServer makes the gRPC server of this node.
func (r *Replicator) newServer() *grpc.Server {
	creds := insecure.NewCredentials()
	if r.cfg.TLS != nil {
		creds = credentials.NewTLS(r.cfg.TLS)
	}
	s := grpc.NewServer(
		grpc.Creds(creds),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(maxAnswer),
		grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(8<<20),
		grpc.WaitForHandlers(true),
		grpc.ConnectionTimeout(3*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second,
			MaxConnectionIdle: time.Minute}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)
	stream := linkDesc
	stream.Handler = func(_ any, ss grpc.ServerStream) error { return r.serveLink(ss) }
	snapshot := snapshotDesc
	snapshot.Handler = func(_ any, ss grpc.ServerStream) error { return r.serveSnapshot(ss) }
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{stream, snapshot},
		Methods: []grpc.MethodDesc{{
			MethodName: "Join",
			Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var f frame
				if err := dec(&f); err != nil {
					return nil, err
				}
				b, err := r.serveJoin(ctx, f.bytes)
				if err != nil {
					return nil, err
				}
				return &frame{parts: [][]byte{b}}, nil
			},
		}},
	}, r)
	return s
}

// connect prepares a connection to a node. It is made when it is first used, once: a failed one is thrown away.
func (r *Replicator) connect(addr string) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if r.cfg.TLS != nil {
		creds = credentials.NewTLS(r.cfg.TLS)
	}
	return grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return r.cfg.Dial(ctx, addr) }),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithInitialWindowSize(4<<20), grpc.WithInitialConnWindowSize(8<<20),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
	)
}

// refusal is an error that will not go away by itself, as gRPC carries it.
func refusal(format string, args ...any) error {
	return status.Errorf(codes.FailedPrecondition, format, args...)
}

// joinRefusal is the refusal of a joiner: its name is another's, or its id was retired.
func joinRefusal(err error) error {
	e := pgerror.From(err)
	if e.Code == pgerror.DuplicateObject {
		return status.Error(codes.AlreadyExists, e.Message)
	}
	return refusal("%s", e.Message)
}

// refused says whether err is a refusal, and gives its text.
func refused(err error) (string, bool) {
	s, ok := status.FromError(err)
	if s.Code() == codes.Unimplemented {
		return "the node there runs a version of layercake that this one cannot replicate with", ok
	}
	return s.Message(), ok && (s.Code() == codes.FailedPrecondition || s.Code() == codes.AlreadyExists)
}
