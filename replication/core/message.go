package core

import "layercake/crdt"

// A Message is what nodes say to each other. A link delivers messages in order or breaks; it never loses one in the
// middle. Messages that count towards a quorum carry the version of the sender's member list.
type Message interface{ kind() byte }

// Hello is the first message on a link, in both directions.
type Hello struct {
	Cluster    ClusterID
	Member     Member // the sender, with the addresses it has now
	Instance   uint64 // random, new at each start of the process
	Joining    bool   // the sender has not caught up yet
	RolledBack bool   // the sender was put back from an old copy and has not caught up yet (rule Q5)
	List       *List  // the sender's member list
	Vector     crdt.Vector
	Trimmed    crdt.Vector // what of the sender's log is gone
}

// Have says that the sender has durably applied more: the origins that rose since its last Have, Reply or Hello on this
// link. It is the ack of entries, and what relays and write-backs go by (rule E1).
type Have struct {
	Version    uint64
	Delta      crdt.Vector
	Joining    bool
	RolledBack bool
}

// Ask asks for the receiver's vector, as of now or later.
type Ask struct {
	Version uint64
	Round   uint64
	Full    bool // also for the names of the registers
}

// Reply answers Ask: the sender's vector is what it said before on this link, raised by Delta.
type Reply struct {
	Version   uint64
	Round     uint64
	Delta     crdt.Vector
	Registers []string
}

// Subscribe asks for the entries of an origin from From on, also those to come, whoever wrote them. From 0 ends it.
// Sub numbers the subscription: entries of an earlier one are not wanted any more.
type Subscribe struct {
	Origin crdt.Origin
	From   uint64
	Sub    uint64
}

// Remember tells the receiver that it held more once than it said in its Hello: it was put back from an old copy.
type Remember struct{ Vector crdt.Vector }

// Heads tells the hashes of the sender's last entries, of those origins that rose since it told last (rule E5).
type Heads struct{ List []Head }

// Head is an entry and the short form of its hash.
type Head struct {
	Origin crdt.Origin
	Seq    uint64
	Hash   uint64
}

// Chain is a part of the sender's chain of an origin of which it differs from the receiver's: the short hashes of the
// entries from From on. Low is as far back as the sender can go. Without hashes it says that this is not far enough.
type Chain struct {
	Origin crdt.Origin
	Low    uint64
	From   uint64
	Hashes []uint64
}

// Forks tells of forks: all that the sender knows, or one that it has just found.
type Forks struct{ List crdt.Forks }

// Cut says that more of the sender's log is gone: these entries and all before them.
type Cut struct{ Trimmed crdt.Vector }

// Entries carries entries of one origin, in order and without a gap. As a message they are their stored bytes. Sub 0 is what every node
// sends unasked: its own newest epoch.
type Entries struct {
	Version uint64
	Origin  crdt.Origin
	Sub     uint64
	List    []crdt.Entry
}

// Reach says whose entries the sender can pass on at once: the members that it is linked to, but for those that it is
// slow to apply. Members of one data centre tell each other.
type Reach struct{ Nodes []crdt.NodeID }

// Progress says that the sender is getting more of an origin that the receiver subscribed to: a long entry is on its way
// to it, or being applied. Hops counts those who passed that on: two who take an origin from each other must not take
// each other's word for ever.
type Progress struct {
	Origin crdt.Origin
	Hops   uint64
}

// News carries a member list that is decided.
type News struct{ List *List }

// Ping measures the round trip; Pong answers it.
type Ping struct{ ID uint64 }

// Pong answers a Ping with the sender's clock.
type Pong struct {
	ID    uint64
	Nanos int64 // Unix time in nanoseconds
}

// Ballot orders proposals.
type Ballot struct {
	N    uint64
	Node crdt.NodeID
}

// Less orders ballots.
func (b Ballot) Less(c Ballot) bool { return b.N < c.N || b.N == c.N && b.Node < c.Node }

// Prepare opens a ballot for a register.
type Prepare struct {
	Version  uint64
	Register string
	Ballot   Ballot
}

// Promise answers Prepare. OK says that the sender will take no smaller ballot; Accepted and Value are what it has
// accepted last. If not OK, Promised is what it has promised to another.
type Promise struct {
	Version  uint64
	Register string
	Ballot   Ballot
	OK       bool
	Promised Ballot
	Accepted Ballot
	Value    []byte
}

// Accept proposes a value under a ballot.
type Accept struct {
	Version  uint64
	Register string
	Ballot   Ballot
	Value    []byte
}

// Accepted answers Accept.
type Accepted struct {
	Version  uint64
	Register string
	Ballot   Ballot
	OK       bool
	Promised Ballot
}

// App is a message between runtimes, of no meaning to the core: a request or its answer.
type App struct {
	What   byte
	Answer bool
	ID     uint64
	Body   []byte
}

const (
	kindHello byte = iota + 1
	kindHave
	kindAsk
	kindReply
	kindSubscribe
	kindEntries
	kindNews
	kindPing
	kindPong
	kindPrepare
	kindPromise
	kindAccept
	kindAccepted
	kindApp
	kindCut
	kindRemember
	kindReach
	kindProgress
	kindHeads
	kindChain
	kindForks
)

func (Hello) kind() byte     { return kindHello }
func (Have) kind() byte      { return kindHave }
func (Ask) kind() byte       { return kindAsk }
func (Reply) kind() byte     { return kindReply }
func (Subscribe) kind() byte { return kindSubscribe }
func (Entries) kind() byte   { return kindEntries }
func (News) kind() byte      { return kindNews }
func (Ping) kind() byte      { return kindPing }
func (Pong) kind() byte      { return kindPong }
func (Prepare) kind() byte   { return kindPrepare }
func (Promise) kind() byte   { return kindPromise }
func (Accept) kind() byte    { return kindAccept }
func (Accepted) kind() byte  { return kindAccepted }
func (App) kind() byte       { return kindApp }
func (Cut) kind() byte       { return kindCut }
func (Remember) kind() byte  { return kindRemember }
func (Reach) kind() byte     { return kindReach }
func (Progress) kind() byte  { return kindProgress }
func (Heads) kind() byte     { return kindHeads }
func (Chain) kind() byte     { return kindChain }
func (Forks) kind() byte     { return kindForks }
