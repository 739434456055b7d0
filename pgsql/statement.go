package pgsql

// Statement is one parsed statement of a query string.
type Statement struct {
	Text string // the statement's own text
	Pos  int    // where Text starts in the query string, in characters; error positions count from the query's start
	Tag  string // command tag without counts, known from the parse alone ("SELECT", "INSERT", "CREATE TABLE")

	tree any // set by Parse
}
