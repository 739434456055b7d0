package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/pgerror"
)

// transaction compiles BEGIN and its kin.
func (x *command) transaction(n *pg.TransactionStmt) Plan {
	p := &Transaction{Name: truncateName(n.GetSavepointName()), Chain: n.GetChain()}
	switch n.GetKind() {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		p.Kind = Begin
		return x.transactionModes(p, n.GetOptions())
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		p.Kind = Commit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		p.Kind = Rollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		p.Kind = Savepoint
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		p.Kind = Release
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		p.Kind = RollbackTo
	default:
		x.unsupported(n.GetLocation(), "two-phase commit (PREPARE TRANSACTION)")
	}
	return p
}

// transactionModes fills in ISOLATION LEVEL, READ ONLY and DEFERRABLE.
func (x *command) transactionModes(p *Transaction, options []*pg.Node) Plan {
	for _, o := range options {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		text, _ := nodeText(d.GetArg())
		on := text != "0" && text != "false" && text != ""
		switch d.GetDefname() {
		case "transaction_isolation":
			switch text {
			case "read uncommitted", "read committed", "repeatable read", "serializable":
				p.Isolation = text
			default:
				x.failAt(d.GetLocation(), pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", d.GetDefname(), text)
			}
		case "transaction_read_only":
			p.ReadOnly = &on
		case "transaction_deferrable":
			p.Deferrable = &on
		default:
			x.unsupported(d.GetLocation(), "transaction mode \"%s\"", d.GetDefname())
		}
	}
	return p
}
