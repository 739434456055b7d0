// Package server composes a node: the store, replication, membership, the wire protocol and the SQL front. It owns
// sessions and transactions. A Go program can embed a node: New, then Run.
//
// Goroutines: the wire server's connections each run one session; the store and the replicator own theirs. After Close
// nothing runs.
package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"layercake/catalog"
	"layercake/cluster"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire"
	"layercake/replication"
	"layercake/sqlstore"
)

// DialFunc opens a connection to another node.
type DialFunc func(ctx context.Context, addr string) (net.Conn, error)

// Node is a running node of a cluster.
type Node struct {
	cfg       Config
	log       *slog.Logger
	store     *sqlstore.Store
	repl      *replication.Replicator
	wire      *pgwire.Server
	plans     *planCache
	locks     *lockTable
	sessions  *sessions
	sequences *sequences
	witness   *witness
	watch     divergence
	loads     loads
	started   time.Time

	pg      net.Listener
	rpc     net.Listener
	http    *http.Server
	httpl   net.Listener
	serving sync.WaitGroup
	end     context.CancelFunc // of what runs beside the sessions; nil before that
	state   atomic.Int32
	settled atomic.Bool // Start has ended
	count   counters
	number  atomic.Int64 // see nodeNumber
	unique  struct {
		sync.Mutex
		last int64
	}
}

// The states of a node.
const (
	stateStarting int32 = iota
	stateReady
	stateStopping
)

// settleTime is how long a start waits for links to all members, some of which may be down.
const settleTime = time.Second

var registerOnce sync.Once

// New opens a node's store and listeners. Nothing is served until Start.
func New(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	registerOnce.Do(registerFunctions)
	n := &Node{cfg: cfg, log: cfg.Logger.With("node", cfg.Name), locks: newLockTable(), sessions: newSessions(),
		plans: newPlanCache(4096), started: cfg.Now()}
	n.sequences = &sequences{node: n, blocks: map[catalog.ID]*block{}}
	n.witness = newWitness(n)
	if err := n.open(); err != nil {
		n.closeAll()
		return nil, err
	}
	return n, nil
}

func (n *Node) open() (err error) {
	n.store, err = sqlstore.Open(context.Background(), sqlstore.Config{Dir: n.cfg.Dir, Now: n.cfg.Now, MaxClockOffset: n.cfg.MaxClockOffset,
		Logger: n.log, CompileIndex: pgsql.CompileIndex, CompileCarry: pgsql.CompileCarry,
		Fatal: n.cfg.Fatal, MaxEntry: min(n.cfg.MaxTransaction, MostTransaction), MaxWAL: n.cfg.MaxWAL})
	if err != nil {
		return err
	}
	if err := n.keepName(); err != nil {
		return err
	}
	if n.pg, err = net.Listen("tcp", n.cfg.PGAddr); err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	if n.rpc, err = net.Listen("tcp", n.cfg.RPCAddr); err != nil {
		return fmt.Errorf("listen for other nodes: %w", err)
	}
	if n.cfg.HTTPAddr != "" {
		if n.httpl, err = net.Listen("tcp", n.cfg.HTTPAddr); err != nil {
			return fmt.Errorf("listen for HTTP: %w", err)
		}
	}
	n.wire, err = pgwire.New(pgwire.Config{Backend: (*backend)(n), TLS: n.cfg.TLS, Insecure: n.cfg.Insecure,
		MaxConnections: n.cfg.MaxConnections, Logger: n.log})
	if err != nil {
		return err
	}
	n.repl, err = replication.New(replication.Config{
		Store: n.store, Name: n.cfg.Name, DC: n.cfg.DC, Listener: n.rpc, RPCAddr: n.advertised(n.rpc), PGAddr: n.advertised(n.pg),
		Gossip: &cluster.Config{Bind: n.cfg.GossipAddr, Host: n.cfg.Advertise, Key: n.cfg.GossipKey, Logger: n.log, Fast: n.cfg.FastGossip},
		TLS:    n.cfg.ClusterTLS, Dial: n.cfg.Dial, MaxClockOffset: n.cfg.MaxClockOffset, Now: n.cfg.Now, Logger: n.log,
		LogCapBytes: n.cfg.LogCapBytes, LogCapAge: n.cfg.LogCapAge,
		Witness: n.witness, Seeds: n.cfg.Join,
	})
	return err
}

// Notes of a node of its own, in its store.
const (
	nodeNameKey = "node-name"
	nodeNumbers = "node-number" // also the register that nodes' numbers come from
)

// keepName makes sure that a data folder keeps the name of its node: a slip of --name must not rename a member.
func (n *Node) keepName() error {
	const key = nodeNameKey
	name, err := n.store.GetLocal(key)
	switch {
	case err != nil:
		return err
	case name == nil:
		return n.store.PutLocal(key, []byte(n.cfg.Name))
	case string(name) != n.cfg.Name:
		return fmt.Errorf("the data folder %s belongs to node %q, not %q", n.cfg.Dir, name, n.cfg.Name)
	}
	return nil
}

// advertised is the address of l that other hosts use.
func (n *Node) advertised(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if n.cfg.Advertise != "" {
		host = n.cfg.Advertise
	}
	return net.JoinHostPort(host, port)
}

// PGAddr, RPCAddr, GossipAddr and HTTPAddr are the addresses bound.
func (n *Node) PGAddr() string { return n.pg.Addr().String() }

// RPCAddr is where other nodes reach replication.
func (n *Node) RPCAddr() string { return n.advertised(n.rpc) }

// GossipAddr is where other nodes join.
func (n *Node) GossipAddr() string { return n.repl.GossipAddr() }

// HTTPAddr is where health and metrics are, "" for nowhere.
func (n *Node) HTTPAddr() string {
	if n.httpl == nil {
		return ""
	}
	return n.httpl.Addr().String()
}

// Start begins to serve: clients are told 57P03 until the node has joined its cluster. It returns a moment later, when the
// node has links to all members, or a second has passed.
func (n *Node) Start(ctx context.Context) error {
	if n.httpl != nil {
		n.http = &http.Server{Handler: n.handler(), ReadHeaderTimeout: 10 * time.Second}
		n.serving.Add(1)
		go func() {
			defer n.serving.Done()
			if err := n.http.Serve(n.httpl); !errors.Is(err, http.ErrServerClosed) {
				n.log.Error("http", "err", err)
			}
		}()
	}
	n.serving.Add(1)
	go func() {
		defer n.serving.Done()
		if err := n.wire.Serve(context.Background(), n.pg); !errors.Is(err, pgwire.ErrServerClosed) {
			n.log.Error("pgwire", "err", err)
		}
	}()
	if err := n.repl.Start(ctx); err != nil {
		return err
	}
	if !n.repl.IsMember() {
		if err := n.join(ctx); err != nil {
			return err
		}
		// A joiner usually finds everybody up: then `all` can be met everywhere from the moment that it serves.
		settle, cancel := context.WithTimeout(ctx, settleTime)
		_ = n.repl.Settle(settle, replication.All) // told below
		cancel()
	}
	settle, cancel := context.WithTimeout(ctx, 2*time.Second)
	if err := n.repl.Settle(settle, replication.Quorum); err != nil {
		n.log.Warn("no quorum of members reachable yet", "err", err)
	}
	cancel()
	number, err := n.nodeNumber(ctx)
	if err != nil {
		n.log.Warn("no number for unique ids yet", "err", err)
	}
	n.number.Store(number)
	n.state.Store(stateReady)
	life, end := context.WithCancel(context.Background())
	n.end = end
	n.serving.Go(func() { n.carry(life) })
	// Clients are served from now on. Who restarts one node after the other waits for more: that this node has its links
	// to all who are there, since the next one may be the only one that it reaches yet.
	settle, cancel = context.WithTimeout(ctx, settleTime)
	if err := n.repl.Settle(settle, replication.All); err != nil {
		n.log.Info("not all members reachable yet", "err", err)
	}
	cancel()
	n.settled.Store(true)
	if n.cfg.VerifyInterval > 0 {
		n.watch.start(n)
	}
	n.log.Info("ready", "pg", n.PGAddr(), "rpc", n.RPCAddr(), "gossip", n.GossipAddr(), "http", n.HTTPAddr(), "dc", n.cfg.DC)
	return nil
}

// join makes the node a member: of the cluster that --join names, or of a new one.
func (n *Node) join(ctx context.Context) error {
	if n.repl.Removed() {
		return replication.ErrRemoved
	}
	if len(n.cfg.Join) > 0 {
		for {
			err := n.repl.Join(ctx, n.cfg.Join)
			if err == nil || !retryJoin(err) {
				return err
			}
			n.log.Info("waiting to join", "seeds", n.cfg.Join, "err", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	if !n.cfg.Insecure && n.cfg.Password == "" {
		return errors.New("the node that creates a cluster needs a password for the superuser postgres: give --password-file or LAYERCAKE_PASSWORD (or --insecure)")
	}
	if err := n.repl.Bootstrap(ctx); err != nil {
		return err
	}
	def := catalog.RoleDef{Superuser: true, Login: true, CreateDB: true, CreateRole: true, Replication: true, BypassRLS: true}
	if n.cfg.Password != "" {
		salt := make([]byte, 16)
		if _, err := rand.Read(salt); err != nil {
			return err
		}
		v, err := pgwire.MakeVerifier(n.cfg.Password, salt, 4096)
		if err != nil {
			return err
		}
		def.Verifier = v
	}
	_, err := n.store.Write(ctx, func(tx *sqlstore.Tx) error {
		if tx.Schema().Role("postgres") != nil {
			return nil
		}
		return tx.Alter([]catalog.Change{{Op: catalog.Create, ID: n.store.NewID(), Attrs: map[catalog.Attr]catalog.Value{
			catalog.AttrKind: catalog.Str(string(catalog.ObjectRole)), catalog.AttrName: catalog.Str("postgres"), catalog.AttrDef: catalog.EncodeDef(def)}}})
	})
	return err
}

// retryJoin says whether joining may work later: nobody answered, or no majority of the members did. A refusal stays.
func retryJoin(err error) bool {
	for _, final := range []error{cluster.ErrOtherCluster, replication.ErrNameTaken, replication.ErrRemoved, context.Canceled} {
		if errors.Is(err, final) {
			return false
		}
	}
	return pgerror.Code(err) != pgerror.InvalidParameterValue
}

// Run starts the node and serves until ctx ends, then stops cleanly within five seconds.
func (n *Node) Run(ctx context.Context) error {
	if err := n.Start(ctx); err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(err, n.Close(stop))
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	return n.Close(stop)
}

// Close stops the node: listeners, sessions (statements under way may finish within ctx), replication, membership, the
// store. A second Close is harmless.
func (n *Node) Close(ctx context.Context) error {
	if n.state.Swap(stateStopping) == stateStopping {
		return nil
	}
	n.log.Info("stopping")
	var errs []error
	if err := n.wire.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		errs = append(errs, err)
	}
	errs = append(errs, n.wire.Close())
	if n.http != nil {
		errs = append(errs, n.http.Close())
	}
	if n.end != nil {
		n.end()
	}
	n.serving.Wait()
	n.watch.close()
	errs = append(errs, n.closeAll())
	n.log.Info("stopped")
	return errors.Join(errs...)
}

func (n *Node) closeAll() error {
	var errs []error
	if n.repl != nil {
		errs = append(errs, n.repl.Close())
	}
	for _, l := range []net.Listener{n.pg, n.rpc, n.httpl} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	n.witness.close()
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

func (n *Node) now() time.Time { return n.cfg.Now() }

// ready refuses statements while the node starts, stops or has fenced itself.
func (n *Node) ready() error {
	switch n.state.Load() {
	case stateStarting:
		return pgerror.New(pgerror.CannotConnectNow, "the node is starting: it has not joined its cluster yet")
	case stateStopping:
		return pgerror.Fatal(pgerror.CannotConnectNow, "the node is shutting down")
	}
	return n.repl.Fenced()
}

// micros is t as PostgreSQL counts: microseconds since 2000-01-01 UTC.
func micros(t time.Time) int64 { return t.UnixMicro() - 946684800000000 }

// nodeNumber is a small number that no other node of the cluster ever had: granted by a majority when the node joins,
// and kept.
func (n *Node) nodeNumber(ctx context.Context) (int64, error) {
	const key = nodeNumbers
	b, err := n.store.GetLocal(key)
	if err != nil {
		return 0, err
	}
	if len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b)), nil
	}
	v, err := n.repl.Grant(ctx, key, 1, 1)
	if err != nil {
		return 0, err
	}
	if v >= 1<<12 {
		return 0, errors.New("more than 4,095 nodes have joined this cluster: unique ids have no room for another")
	}
	return v, n.store.PutLocal(key, binary.BigEndian.AppendUint64(nil, uint64(v)))
}

// uniqueID gives numbers that no other call on any node gives, without asking anybody: 41 bits of milliseconds since
// 2020, 12 bits of the node's number, 10 bits of counter; they grow with time on each node.
func (n *Node) uniqueID() (int64, error) {
	const epoch = 1577836800000
	node := n.number.Load()
	if node == 0 {
		return 0, pgerror.New(pgerror.CannotConnectNow, "the node has no number for unique ids yet: it has not heard a majority since it joined")
	}
	n.unique.Lock()
	defer n.unique.Unlock()
	next := (n.now().UnixMilli()-epoch)<<22 | node<<10
	if next <= n.unique.last {
		next = n.unique.last + 1
		if next&1023 == 0 { // the millisecond is used up: take from the next
			next = (n.unique.last>>22+1)<<22 | node<<10
		}
	}
	n.unique.last = next
	return next, nil
}

// backend makes the sessions of the wire protocol.
type backend Node

// Verifier implements pgwire.Backend.
func (b *backend) Verifier(ctx context.Context, user string) (string, bool, error) {
	n := (*Node)(b)
	if n.state.Load() != stateReady {
		e := pgerror.From(n.ready())
		e.Severity = "FATAL"
		return "", false, e
	}
	r := n.store.Schema().Role(user)
	if r == nil || r.Verifier == "" || r.Expired(n.now()) { // NOLOGIN is told only to who knows the password
		return "", false, nil
	}
	return r.Verifier, true, nil
}

// Open implements pgwire.Backend.
func (b *backend) Open(ctx context.Context, info pgwire.ConnInfo, startup map[string]string) (pgwire.Session, error) {
	n := (*Node)(b)
	if err := n.ready(); err != nil {
		e := *pgerror.From(err)
		e.Severity = "FATAL"
		return nil, &e
	}
	database := info.Database
	if database == "" {
		database = info.User
	}
	schema := n.store.Schema()
	role := schema.Role(info.User)
	if !n.cfg.Insecure {
		switch {
		case role == nil:
			return nil, pgerror.Fatal(pgerror.InvalidAuthorizationSpecification, "role \"%s\" does not exist", info.User)
		case !role.Login:
			return nil, pgerror.Fatal(pgerror.InvalidAuthorizationSpecification, "role \"%s\" is not permitted to log in", info.User)
		}
	}
	if database != DefaultDatabase {
		return nil, pgerror.Fatal(pgerror.InvalidCatalogName, "database \"%s\" does not exist", database).
			WithHint("A cluster has one database, %s.", DefaultDatabase)
	}
	if startup["replication"] != "" && startup["replication"] != "false" && startup["replication"] != "0" {
		return nil, pgerror.Fatal(pgerror.FeatureNotSupported, "replication connections are not supported")
	}
	s := &session{node: n, info: info, log: n.log.With("conn", info.PID), user: info.User, database: database, settings: newSettings(),
		started: n.now(), statements: map[string]*prepared{}, portals: map[string]*portal{}, owner: newLockOwner(info.PID),
		advisory: newLockOwner(info.PID), reported: map[string]string{}, listening: map[string]bool{}}
	s.funcs.s = s
	err := s.configure(schema, startup)
	if err == nil {
		err = s.awaitToken(ctx, s.settings.must(causalToken))
	}
	if err != nil {
		e := *pgerror.From(err)
		e.Severity = "FATAL"
		return nil, &e
	}
	limit := -1
	if role != nil && !role.Superuser {
		limit = role.ConnLimit
	}
	if !n.sessions.add(s, limit) {
		return nil, pgerror.Fatal(pgerror.TooManyConnections, "too many connections for role \"%s\"", info.User)
	}
	s.activity.end('I', s.settings.must("application_name"))
	return s, nil
}

// configure lays the session's settings: the node's, the database's and the role's, then the start-up packet's.
func (s *session) configure(schema *catalog.Schema, startup map[string]string) error {
	for k, v := range s.node.cfg.Settings {
		if err := s.settings.setDefault(k, v, "configuration file"); err != nil {
			return err
		}
	}
	for _, pass := range []struct {
		role   string
		source string
	}{{"", "database"}, {s.info.User, "user"}} {
		for _, r := range schema.Settings {
			if r.Role != pass.role {
				continue
			}
			if err := s.settings.setDefault(r.Name, r.Value, pass.source); err != nil {
				s.log.Warn("a setting kept for the role or database is not valid", "setting", r.Name, "err", err)
			}
		}
	}
	for k, v := range startup {
		switch k {
		case "user", "database", "replication":
		case "options":
			opts, err := parseOptions(v)
			if err != nil {
				return err
			}
			for _, o := range opts {
				if err := s.settings.setDefault(o[0], o[1], "client"); err != nil {
					return err
				}
			}
		default:
			if strings.HasPrefix(k, "_pq_.") {
				continue
			}
			if err := s.settings.setDefault(k, v, "client"); err != nil {
				return err
			}
		}
	}
	return s.settings.derive()
}

// parseOptions reads the start-up packet's options: "-c name=value" and "--name=value", backslash escapes a blank.
func parseOptions(v string) ([][2]string, error) {
	var words []string
	var b strings.Builder
	in := false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\' && i+1 < len(v):
			i++
			b.WriteByte(v[i])
			in = true
		case c == ' ' || c == '\t' || c == '\n':
			if in {
				words = append(words, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, b.String())
	}
	var out [][2]string
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, pgerror.New(pgerror.InvalidParameterValue, "invalid command-line argument for server process: %s", w)
		}
		k, val, ok := strings.Cut(w, "=")
		if !ok {
			return nil, pgerror.New(pgerror.SyntaxError, "-c %s requires a value", w)
		}
		out = append(out, [2]string{strings.ReplaceAll(k, "-", "_"), val})
	}
	return out, nil
}
