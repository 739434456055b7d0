package pgwire_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/pgwire"
)

// send queues messages and flushes them in one write.
func (c *client) send(messages ...pgproto3.FrontendMessage) {
	c.t.Helper()
	for _, m := range messages {
		c.Send(m)
	}
	c.flush()
}

func parse(name, query string) *pgproto3.Parse { return &pgproto3.Parse{Name: name, Query: query} }

func bind(portal, statement string) *pgproto3.Bind {
	return &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: statement}
}

func execute(portal string, rows uint32) *pgproto3.Execute {
	return &pgproto3.Execute{Portal: portal, MaxRows: rows}
}

var sync_ = &pgproto3.Sync{}

func TestExtendedQuery(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := connect(t, addr)
	s := <-b.opened

	c.send(parse("", "select 1 2"), &pgproto3.Describe{ObjectType: 'S'}, bind("", ""), &pgproto3.Describe{ObjectType: 'P'}, execute("", 0), sync_)
	c.want("ParseComplete", "ParameterDescription", "RowDescription", "BindComplete", "RowDescription", "DataRow 1,2", "CommandComplete SELECT 1", "ReadyForQuery I")

	// Names, and things that return nothing.
	c.send(parse("s", "begin"), &pgproto3.Describe{ObjectType: 'S', Name: "s"}, bind("p", "s"), execute("p", 0), sync_)
	c.want("ParseComplete", "ParameterDescription", "NoData", "BindComplete", "CommandComplete BEGIN", "ReadyForQuery T")
	c.send(&pgproto3.Close{ObjectType: 'P', Name: "p"}, &pgproto3.Close{ObjectType: 'S', Name: "s"}, &pgproto3.Close{ObjectType: 'S', Name: "none"}, sync_)
	c.want("CloseComplete", "CloseComplete", "CloseComplete", "ReadyForQuery T")
	c.send(bind("p", "s"), sync_)
	c.want("Error ERROR 26000", "ReadyForQuery E")
	c.send(parse("", "commit"), bind("", ""), execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete", "CommandComplete COMMIT", "ReadyForQuery I")
	c.send(parse("", ""), bind("", ""), execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete", "EmptyQueryResponse", "ReadyForQuery I")
	if want := []bool{false, false, false, true, false, false}; !slices.Equal(s.syncs, want) {
		t.Errorf("the session saw Sync %v, want %v", s.syncs, want)
	}
}

// After an error all is skipped to Sync, in each batch of a pipeline for itself.
func TestPipelineErrorSkips(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	c.send(
		parse("", "select 1"), bind("", ""), execute("", 0), sync_,
		parse("", "select 2"), bind("", ""), execute("", 0), parse("", "error 22012"), bind("", ""), execute("", 0),
		parse("", "select 3"), bind("", ""), execute("", 0), &pgproto3.Query{String: "select 4"}, &pgproto3.CopyDone{}, sync_,
		parse("", "select 5"), bind("", ""), execute("", 0), sync_,
	)
	c.want("ParseComplete", "BindComplete", "DataRow 1", "CommandComplete SELECT 1", "ReadyForQuery I",
		"ParseComplete", "BindComplete", "DataRow 2", "CommandComplete SELECT 1", "ParseComplete", "BindComplete", "Error ERROR 22012", "ReadyForQuery I",
		"ParseComplete", "BindComplete", "DataRow 5", "CommandComplete SELECT 1", "ReadyForQuery I")
}

func TestPortalSuspended(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	c.send(parse("", "rows 5"), bind("", ""), execute("", 2), &pgproto3.Flush{})
	c.want("ParseComplete", "BindComplete", "DataRow 1,row 1", "DataRow 2,row 2", "PortalSuspended")
	c.send(execute("", 2), execute("", 2), sync_)
	c.want("DataRow 3,row 3", "DataRow 4,row 4", "PortalSuspended", "DataRow 5,row 5", "CommandComplete SELECT 5", "ReadyForQuery I")
}

// Flush brings what is ready, and an error comes without being asked for.
func TestFlush(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	c.send(parse("", "select 1"), &pgproto3.Flush{})
	c.want("ParseComplete")
	c.send(bind("", ""), execute("", 0), &pgproto3.Flush{})
	c.want("BindComplete", "DataRow 1", "CommandComplete SELECT 1")
	c.send(parse("", "syntax"))
	c.want("Error ERROR 42601")
	c.send(sync_)
	c.want("ReadyForQuery I")
}

func TestFormats(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	c.send(parse("", "select 1 258"), &pgproto3.Bind{ResultFormatCodes: []int16{0, 1}}, &pgproto3.Describe{ObjectType: 'P'}, execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete")
	m, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	fields := m.(*pgproto3.RowDescription).Fields
	if fields[0].Format != 0 || fields[1].Format != 1 || fields[0].DataTypeOID != 23 || fields[0].DataTypeSize != 4 || string(fields[0].Name) != "n" {
		t.Errorf("got %+v", fields)
	}
	c.want("DataRow 1,\x00\x00\x01\x02", "CommandComplete SELECT 1", "ReadyForQuery I")
}

// The columns of the portal described last are not taken for another's.
func TestExecuteAfterDescribeOfAnother(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	c.send(parse("one", "select 1"), parse("two", "select 1 2"), &pgproto3.Bind{DestinationPortal: "p1", PreparedStatement: "one", ResultFormatCodes: []int16{1}}, bind("p2", "two"),
		&pgproto3.Describe{ObjectType: 'P', Name: "p1"}, execute("p2", 0), execute("p1", 0), sync_)
	c.want("ParseComplete", "ParseComplete", "BindComplete", "BindComplete", "RowDescription", "DataRow 1,2", "CommandComplete SELECT 1", "DataRow \x00\x00\x00\x01", "CommandComplete SELECT 1", "ReadyForQuery I")
}

// A session learns whether Sync is at hand behind its Execute, without waiting for it.
func TestSyncFollows(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := connect(t, addr)
	s := <-b.opened
	c.send(parse("", "syncfollows"), bind("", ""), execute("", 0), sync_)
	c.until("ReadyForQuery")
	c.send(execute("", 0), &pgproto3.Flush{}, sync_)
	c.until("ReadyForQuery")
	c.send(execute("", 0), &pgproto3.Flush{})
	c.want("CommandComplete OK")
	c.send(sync_)
	c.until("ReadyForQuery")
	c.query("syncfollows")
	c.until("ReadyForQuery")
	if want := []bool{true, false, false, false}; !slices.Equal(s.syncSeen, want) {
		t.Errorf("got %v, want %v", s.syncSeen, want)
	}
}

// message frames a body.
func message(typ byte, body string) string {
	n := len(body) + 4
	return string([]byte{typ, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) + body
}

// What breaks the protocol within a message is an error, and the connection goes on at Sync.
func TestMalformedMessages(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	syncMessage := message('S', "")
	for name, tc := range map[string]struct{ raw, want string }{
		"query not terminated":    {message('Q', "select 1"), "Error ERROR 08P01"},
		"query empty body":        {message('Q', ""), "Error ERROR 08P01"},
		"query with NUL":          {message('Q', "select 1\x00; select 2\x00"), "Error ERROR 08P01"},
		"query not UTF-8":         {message('Q', "select '\xff'\x00"), "Error ERROR 22021"},
		"parse empty":             {message('P', "") + syncMessage, "Error ERROR 08P01"},
		"parse no count":          {message('P', "\x00select 1\x00") + syncMessage, "Error ERROR 08P01"},
		"parse count":             {message('P', "\x00select 1\x00\xff\xff\x00") + syncMessage, "Error ERROR 08P01"},
		"parse trailing":          {message('P', "\x00select 1\x00\x00\x00x") + syncMessage, "Error ERROR 08P01"},
		"parse not UTF-8":         {message('P', "\x00select '\xc3'\x00\x00\x00") + syncMessage, "Error ERROR 22021"},
		"parse name not UTF-8":    {message('P', "\xc3\x00select 1\x00\x00\x00") + syncMessage, "Error ERROR 22021"},
		"bind empty":              {message('B', "") + syncMessage, "Error ERROR 08P01"},
		"bind negative length":    {message('B', "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00") + syncMessage, "Error ERROR 08P01"},
		"bind long parameter":     {message('B', "\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff\x00\x00") + syncMessage, "Error ERROR 08P01"},
		"bind count":              {message('B', "\x00\x00\x00\x00\xff\xff\x00\x00") + syncMessage, "Error ERROR 08P01"},
		"bind formats":            {message('B', "\x00\x00\x00\x02\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00") + syncMessage, "Error ERROR 08P01"},
		"bind format code":        {message('B', "\x00\x00\x00\x01\x00\x02\x00\x01\xff\xff\xff\xff\x00\x00") + syncMessage, "Error ERROR 22023"},
		"bind result format":      {message('B', "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x07") + syncMessage, "Error ERROR 22023"},
		"bind result count":       {message('B', "\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00") + syncMessage, "Error ERROR 08P01"},
		"bind trailing":           {message('B', "\x00\x00\x00\x00\x00\x00\x00\x00x") + syncMessage, "Error ERROR 08P01"},
		"bind text not UTF-8":     {message('B', "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\x00\x00") + syncMessage, "Error ERROR 22021"},
		"bind text with NUL":      {message('B', "\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00") + syncMessage, "Error ERROR 22021"},
		"describe empty":          {message('D', "") + syncMessage, "Error ERROR 08P01"},
		"describe kind":           {message('D', "X\x00") + syncMessage, "Error ERROR 08P01"},
		"describe not terminated": {message('D', "Sabc") + syncMessage, "Error ERROR 08P01"},
		"close kind":              {message('C', "X\x00") + syncMessage, "Error ERROR 08P01"},
		"execute no limit":        {message('E', "\x00") + syncMessage, "Error ERROR 08P01"},
		"execute no portal":       {message('E', "none\x00\x00\x00\x00\x00") + syncMessage, "Error ERROR 34000"},
		"sync with body":          {message('S', "x"), "Error ERROR 08P01"},
		"function call":           {message('F', "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"), "Error ERROR 0A000"},
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, addr)
			c.raw(tc.raw)
			c.want(tc.want, "ReadyForQuery I")
			c.query("begin")
			c.until("ReadyForQuery T")
			c.raw(tc.raw)
			c.want(tc.want, "ReadyForQuery E") // an open transaction fails with it
			c.query("select 1")
			c.want("RowDescription", "DataRow 1", "CommandComplete SELECT 1", "ReadyForQuery E")
		})
	}
}

// What leaves in doubt where the next message begins ends the connection.
func TestFatalMessages(t *testing.T) {
	_, addr := serve(t, newBackend(), func(cfg *pgwire.Config) { cfg.MaxMessage = 100_000 })
	for name, tc := range map[string]string{
		"unknown type":        message('!', ""),
		"garbage":             "\r\n\r\nwhat is this?",
		"length below four":   "Q\x00\x00\x00\x03",
		"negative length":     "Q\xff\xff\xff\xff",
		"oversized query":     "Q\x00\x01\x86\xa1",
		"oversized sync":      "S\x00\x00\x40\x00",
		"password in session": message('p', "secret\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, addr)
			c.raw(tc)
			c.want("Error FATAL 08P01", "EOF")
		})
	}
	c := connect(t, addr)
	c.query("select 1" + strings.Repeat(" ", 99_000)) // just within
	c.until("ReadyForQuery I")
}

func TestBigMessages(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := pgxConnect(t, connString(addr, ""))
	for _, n := range []int{0, 1, 8000, 8192, 8193, 64 << 10, 1 << 20, 40 << 20} {
		want := strings.Repeat("x", n)
		var got string
		if err := c.QueryRow(context.Background(), "text $1", pgx.QueryExecModeExec, want).Scan(&got); err != nil || got != want {
			t.Fatalf("%d bytes came back as %d, %v", n, len(got), err)
		}
	}
}

func TestPgxBatch(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := pgxConnect(t, connString(addr, ""))
	var batch pgx.Batch
	for i := range 50 {
		batch.Queue(fmt.Sprintf("select %d", i))
	}
	batch.Queue("error 22012")
	batch.Queue("select 1")
	r := c.SendBatch(context.Background(), &batch)
	for i := range 50 {
		var n int
		if err := r.QueryRow().Scan(&n); err != nil || n != i {
			t.Fatalf("got %d, %v, want %d", n, err, i)
		}
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "22012") {
		t.Fatalf("got %v, want 22012", err)
	}
	var n int
	if err := c.QueryRow(context.Background(), "select 7").Scan(&n); err != nil || n != 7 {
		t.Fatalf("got %d, %v, want 7", n, err)
	}
}
