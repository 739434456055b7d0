package pgwire

import (
	"context"
	"io"

	"layercake/catalog"
	"layercake/pgerror"
)

// Backend makes sessions and answers what a connection needs before it has one. A server has one Backend.
type Backend interface {
	// Verifier returns the SCRAM-SHA-256 verifier of a user in PostgreSQL's form
	// (SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>), ok false if the user does not exist, may not log in
	// or has no password: the connection then goes through the motions with a made-up verifier and fails with 28P01.
	Verifier(ctx context.Context, user string) (verifier string, ok bool, err error)

	// Open makes a session for a user that has proved who it is. Startup has the start-up packet's parameters (user,
	// database, options and settings among them). An error is sent as it is, and the connection ends.
	Open(ctx context.Context, c ConnInfo, startup map[string]string) (Session, error)
}

// ConnInfo tells a session about its connection.
type ConnInfo struct {
	User       string
	Database   string
	RemoteAddr string
	TLS        bool
	PID        uint32 // process id as told in BackendKeyData: unique among the node's live connections
	// Notify sends a message that is not an answer, at once if the connection is idle, else before the next
	// ReadyForQuery: a notice (*pgerror.Error), ParameterStatus, or Notification. It may be called from any goroutine
	// and never blocks for long.
	Notify func(any)
}

// ParameterStatus tells the client that a reported setting has a new value.
type ParameterStatus struct{ Name, Value string }

// Notification is a NOTIFY message.
type Notification struct {
	PID              uint32
	Channel, Payload string
}

// Session is one client's session. pgwire calls it from one goroutine at a time. A call's ctx is cancelled by a
// CancelRequest, by the server's shutdown, or when the client vanishes; the session then returns an error (57014) soon.
// Errors are *pgerror.Error, or are shown as XX000.
type Session interface {
	// Parameters are the settings to report with ParameterStatus at the start, in order.
	Parameters() []ParameterStatus

	// SimpleQuery runs a Query message: every statement in it, as one implicit transaction unless it says otherwise.
	// It stops at the first error and returns it.
	SimpleQuery(ctx context.Context, query string, w ResultWriter) error

	// Parse, Bind, Describe…, Execute and Close… are the extended protocol's messages. pgwire itself skips to Sync
	// after an error.
	Parse(ctx context.Context, name, query string, paramTypes []uint32) error
	// Bind makes a portal. Params are in wire form (nil: NULL), valid during the call only; formats and resultFormats
	// follow the protocol's rule: none (all text), one (for all) or one each; codes 0 and 1 were checked by pgwire.
	Bind(ctx context.Context, portal, statement string, formats []int16, params [][]byte, resultFormats []int16) error
	DescribeStatement(ctx context.Context, name string) (paramTypes []uint32, columns []Column, err error) // columns nil: NoData
	DescribePortal(ctx context.Context, name string) (columns []Column, err error)                         // with formats as bound
	// Execute runs or resumes a portal for at most maxRows rows (0: all). It calls w.Row for each row (never w.Columns)
	// and ends with w.Complete, w.Suspended or w.Empty.
	Execute(ctx context.Context, portal string, maxRows int, w ResultWriter) error
	CloseStatement(ctx context.Context, name string) error
	ClosePortal(ctx context.Context, name string) error

	// Sync ends an implicit transaction of the extended protocol: commits it, or rolls it back if failed says that a
	// message since the last Sync ended in an error. An error of the commit is returned and sent before ReadyForQuery.
	Sync(ctx context.Context, failed bool) error

	// TxStatus is 'I', 'T' or 'E'.
	TxStatus() byte
	// Output is how values are shown as text (time zone, date style …); pgwire asks before each result.
	Output() *catalog.OutputSettings

	// Close rolls back and frees all. It is called once, last.
	Close()
}

// Column describes a result column.
type Column struct {
	Name     string
	TableOID uint32
	AttNum   int16
	Type     uint32
	Typmod   int32
	Format   int16 // 0 text, 1 binary
}

// ResultWriter takes what a statement answers. pgwire implements it over its write buffer, which it flushes when it is
// full and at the protocol's points; an error means that the client is gone, and the statement should end with it.
type ResultWriter interface {
	// SyncFollows says whether the next message, already received, is Sync: the statement now executed is then the last
	// of its implicit transaction, which the session may commit before it answers. False in the simple protocol.
	SyncFollows() bool
	// Columns begins a result set (simple protocol only): RowDescription.
	Columns(cols []Column) error
	// Row writes a DataRow. The values are read before it returns.
	Row(values []catalog.Value) error
	// Complete ends a statement with its command tag ("INSERT 0 1").
	Complete(tag string) error
	// Suspended ends an Execute that reached its row limit.
	Suspended() error
	// Empty answers an empty query string.
	Empty() error
	// Notice sends a NoticeResponse.
	Notice(n *pgerror.Error) error

	// CopyIn starts COPY FROM STDIN and returns the data as a stream: io.EOF after CopyDone, a *pgerror.Error (57014)
	// after CopyFail, 08P01 at a message that does not belong, io.ErrUnexpectedEOF when the client has gone.
	CopyIn(binary bool, columns int) (io.Reader, error)
	// CopyOut starts COPY TO STDOUT. Each Write becomes a CopyData message; Close sends CopyDone.
	CopyOut(binary bool, columns int) (io.WriteCloser, error)
}
