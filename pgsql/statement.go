package pgsql

// Statement is one parsed statement of a query string.
type Statement struct {
	Text string // the statement's own text
	Pos  int    // where Text starts in the query string, in characters; error positions count from the query's start
	Tag  string // command tag without counts, known from the parse alone ("SELECT", "INSERT", "CREATE TABLE")

	tree any // set by Parse
}

// EndsTransaction says whether the statement is one that a failed transaction still takes: COMMIT or ROLLBACK (to a
// savepoint too).
func (s *Statement) EndsTransaction() bool {
	return s.Tag == "COMMIT" || s.Tag == "ROLLBACK"
}

// ManagesTransaction says whether the statement begins, ends or divides a transaction.
func (s *Statement) ManagesTransaction() bool {
	switch s.Tag {
	case "BEGIN", "START TRANSACTION", "SAVEPOINT", "RELEASE":
		return true
	}
	return s.EndsTransaction()
}
