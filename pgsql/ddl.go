package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/pgerror"
)

// ddl compiles the statements that change the schema; whatever is left is not supported.
func (x *command) ddl(node *pg.Node) Plan {
	switch n := node.GetNode().(type) {
	case *pg.Node_CreateStmt:
		return x.createTable(n.CreateStmt)
	case *pg.Node_CreateTableAsStmt:
		return x.createTableAs(n.CreateTableAsStmt)
	case *pg.Node_SelectStmt:
		return x.selectInto(n.SelectStmt)
	case *pg.Node_AlterTableStmt:
		return x.alterTable(n.AlterTableStmt)
	case *pg.Node_RenameStmt:
		return x.rename(n.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		return x.setSchema(n.AlterObjectSchemaStmt)
	case *pg.Node_AlterOwnerStmt:
		return x.alterOwner(n.AlterOwnerStmt)
	case *pg.Node_DropStmt:
		return x.dropStatement(n.DropStmt)
	case *pg.Node_IndexStmt:
		return x.createIndex(n.IndexStmt)
	case *pg.Node_TruncateStmt:
		return x.truncate(n.TruncateStmt)
	case *pg.Node_ViewStmt:
		return x.createView(n.ViewStmt)
	case *pg.Node_CreateSeqStmt:
		return x.createSequence(n.CreateSeqStmt)
	case *pg.Node_AlterSeqStmt:
		return x.alterSequence(n.AlterSeqStmt)
	case *pg.Node_CreateSchemaStmt:
		return x.createSchema(n.CreateSchemaStmt)
	case *pg.Node_CreateRoleStmt:
		return x.createRole(n.CreateRoleStmt)
	case *pg.Node_AlterRoleStmt:
		return x.alterRole(n.AlterRoleStmt)
	case *pg.Node_AlterRoleSetStmt:
		return x.alterRoleSet(n.AlterRoleSetStmt)
	case *pg.Node_AlterDatabaseSetStmt:
		return x.alterDatabaseSet(n.AlterDatabaseSetStmt)
	case *pg.Node_DropRoleStmt:
		return x.dropRole(n.DropRoleStmt)
	case *pg.Node_GrantRoleStmt:
		return x.grantRole(n.GrantRoleStmt)
	case *pg.Node_GrantStmt:
		return x.grant(n.GrantStmt)
	case *pg.Node_CommentStmt:
		return x.comment(n.CommentStmt)
	case *pg.Node_CreateExtensionStmt:
		return x.createExtension(n.CreateExtensionStmt)
	}
	x.unsupported(x.statementLocation(), "%s", utilityTag(node))
	return nil
}

// statementLocation is where the statement begins, as a location.
func (x *command) statementLocation() int32 { return -1 }

// createExtension accepts what every PostgreSQL database has.
func (x *command) createExtension(n *pg.CreateExtensionStmt) Plan {
	if n.GetExtname() != "plpgsql" || !n.GetIfNotExists() {
		x.unsupported(-1, "CREATE EXTENSION %s", n.GetExtname())
	}
	notice := pgerror.Notice("extension \"%s\" already exists, skipping", n.GetExtname())
	notice.Code = pgerror.DuplicateObject
	x.notice(notice)
	return x.ddlPlan("CREATE EXTENSION")
}
