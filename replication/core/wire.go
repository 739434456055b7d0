package core

import (
	"encoding/binary"
	"errors"

	"layercake/crdt"
)

// ErrMalformed is what decoding bytes from outside answers when they are not a message.
var ErrMalformed = errors.New("replication: malformed message")

// Append encodes m after dst: a byte for its kind, then its fields; integers are varints.
func Append(dst []byte, m Message) []byte {
	w := writer{append(dst, m.kind())}
	switch m := m.(type) {
	case Hello:
		w.uint(uint64(m.Cluster))
		w.member(m.Member)
		w.uint(m.Instance)
		w.bool(m.Joining)
		w.bool(m.RolledBack)
		w.list(m.List)
		w.vector(m.Vector)
		w.vector(m.Trimmed)
	case Have:
		w.uint(m.Version)
		w.vector(m.Delta)
		w.bool(m.Joining)
		w.bool(m.RolledBack)
	case Ask:
		w.uint(m.Version)
		w.uint(m.Round)
		w.bool(m.Full)
	case Reply:
		w.uint(m.Version)
		w.uint(m.Round)
		w.vector(m.Delta)
		w.uint(uint64(len(m.Registers)))
		for _, name := range m.Registers {
			w.string(name)
		}
	case Subscribe:
		w.origin(m.Origin)
		w.uint(m.From)
		w.uint(m.Sub)
	case Entries:
		w.b = AppendEntriesHead(w.b[:len(w.b)-1], m.Version, m.Origin, m.Sub, len(m.List))
		for _, e := range m.List {
			w.bytes(e.Bytes)
		}
	case News:
		w.list(m.List)
	case Ping:
		w.uint(m.ID)
	case Pong:
		w.uint(m.ID)
		w.uint(uint64(m.Nanos))
	case Prepare:
		w.register(m.Version, m.Register, m.Ballot)
	case Promise:
		w.register(m.Version, m.Register, m.Ballot)
		w.bool(m.OK)
		w.ballot(m.Promised)
		w.ballot(m.Accepted)
		w.bytes(m.Value)
	case Accept:
		w.register(m.Version, m.Register, m.Ballot)
		w.bytes(m.Value)
	case Accepted:
		w.register(m.Version, m.Register, m.Ballot)
		w.bool(m.OK)
		w.ballot(m.Promised)
	case Cut:
		w.vector(m.Trimmed)
	case Remember:
		w.vector(m.Vector)
	case Reach:
		w.uint(uint64(len(m.Nodes)))
		for _, id := range m.Nodes {
			w.uint(uint64(id))
		}
	case Progress:
		w.origin(m.Origin)
		w.uint(m.Hops)
	case Heads:
		w.uint(uint64(len(m.List)))
		for _, h := range m.List {
			w.origin(h.Origin)
			w.uint(h.Seq)
			w.hash(h.Hash)
		}
	case Chain:
		w.origin(m.Origin)
		w.uint(m.Low)
		w.uint(m.From)
		w.uint(uint64(len(m.Hashes)))
		for _, h := range m.Hashes {
			w.hash(h)
		}
	case Forks:
		w.uint(uint64(len(m.List)))
		for _, f := range m.List {
			w.b = crdt.AppendFork(w.b, f)
		}
	case App:
		w.b = append(w.b, m.What)
		w.bool(m.Answer)
		w.uint(m.ID)
		w.bytes(m.Body)
	}
	return w.b
}

// AppendEntriesHead encodes what stands before the entries of an Entries message: each follows as its length (a
// varint) and its bytes, so that a sender need not copy them.
func AppendEntriesHead(dst []byte, version uint64, o crdt.Origin, sub uint64, n int) []byte {
	w := writer{append(dst, kindEntries)}
	w.uint(version)
	w.origin(o)
	w.uint(sub)
	w.uint(uint64(n))
	return w.b
}

// Decode reads a message. The bytes come from outside: anything wrong is ErrMalformed. Byte slices of the message lie
// in b.
func Decode(b []byte) (Message, error) {
	if len(b) == 0 {
		return nil, ErrMalformed
	}
	r := reader{b: b[1:]}
	var m Message
	switch b[0] {
	case kindHello:
		m = Hello{Cluster: ClusterID(r.uint()), Member: r.member(), Instance: r.uint(), Joining: r.bool(), RolledBack: r.bool(), List: r.list(),
			Vector: r.vector(), Trimmed: r.vector()}
	case kindHave:
		m = Have{Version: r.uint(), Delta: r.vector(), Joining: r.bool(), RolledBack: r.bool()}
	case kindAsk:
		m = Ask{Version: r.uint(), Round: r.uint(), Full: r.bool()}
	case kindReply:
		v := Reply{Version: r.uint(), Round: r.uint(), Delta: r.vector()}
		for range r.count(1) {
			v.Registers = append(v.Registers, r.string())
		}
		m = v
	case kindSubscribe:
		m = Subscribe{Origin: r.origin(), From: r.uint(), Sub: r.uint()}
	case kindEntries:
		v := Entries{Version: r.uint(), Origin: r.origin(), Sub: r.uint()}
		n := r.count(1)
		v.List = make([]crdt.Entry, 0, min(n, 1024))
		for range n {
			v.List = append(v.List, decodeEntry(r.bytes()))
		}
		m = v
	case kindNews:
		m = News{List: r.list()}
	case kindPing:
		m = Ping{ID: r.uint()}
	case kindPong:
		m = Pong{ID: r.uint(), Nanos: int64(r.uint())}
	case kindPrepare:
		v := Prepare{}
		v.Version, v.Register, v.Ballot = r.register()
		m = v
	case kindPromise:
		v := Promise{}
		v.Version, v.Register, v.Ballot = r.register()
		v.OK, v.Promised, v.Accepted, v.Value = r.bool(), r.ballot(), r.ballot(), r.bytes()
		m = v
	case kindAccept:
		v := Accept{}
		v.Version, v.Register, v.Ballot = r.register()
		v.Value = r.bytes()
		m = v
	case kindAccepted:
		v := Accepted{}
		v.Version, v.Register, v.Ballot = r.register()
		v.OK, v.Promised = r.bool(), r.ballot()
		m = v
	case kindRemember:
		m = Remember{r.vector()}
	case kindReach:
		v := Reach{}
		for range r.count(1) {
			v.Nodes = append(v.Nodes, crdt.NodeID(r.uint()))
		}
		m = v
	case kindProgress:
		m = Progress{Origin: r.origin(), Hops: r.uint()}
	case kindCut:
		m = Cut{r.vector()}
	case kindHeads:
		v := Heads{}
		for range r.count(crdt.OriginSize + 9) {
			v.List = append(v.List, Head{r.origin(), r.uint(), r.hash()})
		}
		m = v
	case kindChain:
		v := Chain{Origin: r.origin(), Low: r.uint(), From: r.uint()}
		for range r.count(8) {
			v.Hashes = append(v.Hashes, r.hash())
		}
		if v.From > crdt.MaxSeq || v.From == 0 && len(v.Hashes) > 0 {
			r.fail()
		}
		m = v
	case kindForks:
		v := Forks{}
		for range r.count(crdt.OriginSize + 10) {
			v.List = append(v.List, r.fork())
		}
		m = v
	case kindApp:
		m = App{What: r.byte(), Answer: r.bool(), ID: r.uint(), Body: r.bytes()}
	default:
		return nil, ErrMalformed
	}
	if r.bad || len(r.b) > 0 {
		return nil, ErrMalformed
	}
	return m, nil
}

// decodeEntry reads the head of an entry. One that cannot be read has no origin: it holds up the origin whose stream it
// came in, not the link.
func decodeEntry(b []byte) crdt.Entry {
	e, err := crdt.DecodeHead(b)
	if err != nil {
		return crdt.Entry{Bytes: b}
	}
	return e
}

// AppendList encodes a member list, as it is kept in the members register and on disk.
func AppendList(dst []byte, l *List) []byte {
	w := writer{dst}
	w.list(l)
	return w.b
}

// DecodeList reads what AppendList wrote.
func DecodeList(b []byte) (*List, error) {
	r := reader{b: b}
	l := r.list()
	if r.bad || len(r.b) > 0 {
		return nil, ErrMalformed
	}
	return l, nil
}

// AppendMember encodes one member, as a joiner introduces itself.
func AppendMember(dst []byte, m Member) []byte {
	w := writer{dst}
	w.member(m)
	return w.b
}

// DecodeMember reads what AppendMember wrote and returns the bytes after it.
func DecodeMember(b []byte) (Member, []byte, error) {
	r := reader{b: b}
	m := r.member()
	if r.bad {
		return Member{}, nil, ErrMalformed
	}
	return m, r.b, nil
}

type writer struct{ b []byte }

func (w *writer) uint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) bytes(v []byte) {
	w.uint(uint64(len(v)))
	w.b = append(w.b, v...)
}

func (w *writer) string(v string) {
	w.uint(uint64(len(v)))
	w.b = append(w.b, v...)
}

func (w *writer) origin(o crdt.Origin) { w.b = crdt.AppendOrigin(w.b, o) }

func (w *writer) hash(h uint64) { w.b = binary.BigEndian.AppendUint64(w.b, h) }

func (w *writer) vector(v crdt.Vector) { w.b = crdt.AppendVector(w.b, v) }

func (w *writer) ballot(b Ballot) {
	w.uint(b.N)
	w.uint(uint64(b.Node))
}

func (w *writer) register(version uint64, name string, b Ballot) {
	w.uint(version)
	w.string(name)
	w.ballot(b)
}

func (w *writer) member(m Member) {
	w.uint(uint64(m.ID))
	for _, s := range []string{m.Name, m.DC, m.RPCAddr, m.PGAddr, m.GossipAddr} {
		w.string(s)
	}
}

// list encodes nil as version 0.
func (w *writer) list(l *List) {
	if l == nil {
		w.uint(0)
		return
	}
	w.uint(l.Version)
	w.uint(uint64(l.Cluster))
	w.uint(uint64(len(l.Members)))
	for _, m := range l.Members {
		w.member(m)
	}
	w.uint(uint64(len(l.Before)))
	for _, id := range l.Before {
		w.uint(uint64(id))
	}
	w.uint(uint64(len(l.Retired)))
	for _, o := range l.Retired {
		w.uint(uint64(o.ID))
		w.string(o.Name)
		w.string(o.DC)
	}
}

// reader reads fields; after the first that is wrong, bad is set and all are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() {
	r.bad = true
	r.b = nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items of at least size bytes each, so that a made-up number allocates nothing.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) bool() bool { return r.byte() != 0 }

func (r *reader) bytes() []byte {
	n := r.count(1)
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) origin() crdt.Origin {
	o, rest, err := crdt.DecodeOrigin(r.b)
	if err != nil {
		r.fail()
		return crdt.Origin{}
	}
	r.b = rest
	return o
}

func (r *reader) vector() crdt.Vector {
	v, rest, err := crdt.DecodeVector(r.b)
	if err != nil {
		r.fail()
		return nil
	}
	r.b = rest
	return v
}

func (r *reader) hash() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	h := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return h
}

func (r *reader) fork() crdt.Fork {
	f, rest, err := crdt.DecodeFork(r.b)
	if err != nil {
		r.fail()
		return crdt.Fork{}
	}
	r.b = rest
	return f
}

func (r *reader) ballot() Ballot { return Ballot{N: r.uint(), Node: crdt.NodeID(r.uint())} }

func (r *reader) register() (uint64, string, Ballot) { return r.uint(), r.string(), r.ballot() }

func (r *reader) member() Member {
	m := Member{ID: crdt.NodeID(r.uint())}
	for _, s := range []*string{&m.Name, &m.DC, &m.RPCAddr, &m.PGAddr, &m.GossipAddr} {
		*s = r.string()
	}
	return m
}

func (r *reader) list() *List {
	l := &List{Version: r.uint()}
	if l.Version == 0 {
		return nil
	}
	l.Cluster = ClusterID(r.uint())
	for range r.count(6) {
		l.Members = append(l.Members, r.member())
	}
	for range r.count(1) {
		l.Before = append(l.Before, crdt.NodeID(r.uint()))
	}
	for range r.count(3) {
		l.Retired = append(l.Retired, Retired{ID: crdt.NodeID(r.uint()), Name: r.string(), DC: r.string()})
	}
	return l
}
