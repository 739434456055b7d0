package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// objectWords names an object type as command tags and messages do.
var objectWords = map[pg.ObjectType]string{
	pg.ObjectType_OBJECT_ACCESS_METHOD: "ACCESS METHOD", pg.ObjectType_OBJECT_AGGREGATE: "AGGREGATE",
	pg.ObjectType_OBJECT_ATTRIBUTE: "TYPE", pg.ObjectType_OBJECT_CAST: "CAST", pg.ObjectType_OBJECT_COLUMN: "TABLE",
	pg.ObjectType_OBJECT_COLLATION: "COLLATION", pg.ObjectType_OBJECT_CONVERSION: "CONVERSION",
	pg.ObjectType_OBJECT_DATABASE: "DATABASE", pg.ObjectType_OBJECT_DOMAIN: "DOMAIN",
	pg.ObjectType_OBJECT_DOMCONSTRAINT: "DOMAIN", pg.ObjectType_OBJECT_EVENT_TRIGGER: "EVENT TRIGGER",
	pg.ObjectType_OBJECT_EXTENSION: "EXTENSION", pg.ObjectType_OBJECT_FDW: "FOREIGN DATA WRAPPER",
	pg.ObjectType_OBJECT_FOREIGN_SERVER: "SERVER", pg.ObjectType_OBJECT_FOREIGN_TABLE: "FOREIGN TABLE",
	pg.ObjectType_OBJECT_FUNCTION: "FUNCTION", pg.ObjectType_OBJECT_INDEX: "INDEX", pg.ObjectType_OBJECT_LANGUAGE: "LANGUAGE",
	pg.ObjectType_OBJECT_LARGEOBJECT: "LARGE OBJECT", pg.ObjectType_OBJECT_MATVIEW: "MATERIALIZED VIEW",
	pg.ObjectType_OBJECT_OPCLASS: "OPERATOR CLASS", pg.ObjectType_OBJECT_OPERATOR: "OPERATOR",
	pg.ObjectType_OBJECT_OPFAMILY: "OPERATOR FAMILY", pg.ObjectType_OBJECT_POLICY: "POLICY",
	pg.ObjectType_OBJECT_PROCEDURE: "PROCEDURE", pg.ObjectType_OBJECT_PUBLICATION: "PUBLICATION",
	pg.ObjectType_OBJECT_ROLE: "ROLE", pg.ObjectType_OBJECT_ROUTINE: "ROUTINE", pg.ObjectType_OBJECT_RULE: "RULE",
	pg.ObjectType_OBJECT_SCHEMA: "SCHEMA", pg.ObjectType_OBJECT_SEQUENCE: "SEQUENCE",
	pg.ObjectType_OBJECT_SUBSCRIPTION: "SUBSCRIPTION", pg.ObjectType_OBJECT_STATISTIC_EXT: "STATISTICS",
	pg.ObjectType_OBJECT_TABCONSTRAINT: "TABLE", pg.ObjectType_OBJECT_TABLE: "TABLE",
	pg.ObjectType_OBJECT_TABLESPACE: "TABLESPACE", pg.ObjectType_OBJECT_TRANSFORM: "TRANSFORM",
	pg.ObjectType_OBJECT_TRIGGER: "TRIGGER", pg.ObjectType_OBJECT_TSCONFIGURATION: "TEXT SEARCH CONFIGURATION",
	pg.ObjectType_OBJECT_TSDICTIONARY: "TEXT SEARCH DICTIONARY", pg.ObjectType_OBJECT_TSPARSER: "TEXT SEARCH PARSER",
	pg.ObjectType_OBJECT_TSTEMPLATE: "TEXT SEARCH TEMPLATE", pg.ObjectType_OBJECT_TYPE: "TYPE",
	pg.ObjectType_OBJECT_USER_MAPPING: "USER MAPPING", pg.ObjectType_OBJECT_VIEW: "VIEW",
}

// utilityTag is the command tag of every statement but SELECT, INSERT, UPDATE and DELETE (PostgreSQL's cmdtaglist.h).
// Statements that are not supported get the tag that their node's name suggests: it names them in the error.
func utilityTag(n *pg.Node) string {
	switch s := n.GetNode().(type) {
	case *pg.Node_VariableSetStmt:
		switch s.VariableSetStmt.GetKind() {
		case pg.VariableSetKind_VAR_RESET, pg.VariableSetKind_VAR_RESET_ALL:
			return "RESET"
		}
		return "SET"
	case *pg.Node_TransactionStmt:
		return transactionTag(s.TransactionStmt.GetKind())
	case *pg.Node_FetchStmt:
		if s.FetchStmt.GetIsmove() {
			return "MOVE"
		}
		return "FETCH"
	case *pg.Node_ClosePortalStmt:
		if s.ClosePortalStmt.GetPortalname() == "" {
			return "CLOSE CURSOR ALL"
		}
		return "CLOSE CURSOR"
	case *pg.Node_DeallocateStmt:
		if s.DeallocateStmt.GetName() == "" {
			return "DEALLOCATE ALL"
		}
		return "DEALLOCATE"
	case *pg.Node_DiscardStmt:
		return "DISCARD " + strings.TrimPrefix(s.DiscardStmt.GetTarget().String(), "DISCARD_")
	case *pg.Node_VacuumStmt:
		if s.VacuumStmt.GetIsVacuumcmd() {
			return "VACUUM"
		}
		return "ANALYZE"
	case *pg.Node_CreateTableAsStmt:
		if s.CreateTableAsStmt.GetObjtype() == pg.ObjectType_OBJECT_MATVIEW {
			return "CREATE MATERIALIZED VIEW"
		}
		if s.CreateTableAsStmt.GetIsSelectInto() {
			return "SELECT INTO"
		}
		return "CREATE TABLE AS"
	case *pg.Node_DropStmt:
		return "DROP " + objectWords[s.DropStmt.GetRemoveType()]
	case *pg.Node_RenameStmt:
		r := s.RenameStmt
		if r.GetRenameType() == pg.ObjectType_OBJECT_COLUMN { // a constraint's node does not tell the relation's type
			return "ALTER " + objectWords[orTable(r.GetRelationType())]
		}
		return "ALTER " + objectWords[r.GetRenameType()]
	case *pg.Node_AlterTableStmt:
		return "ALTER " + objectWords[orTable(s.AlterTableStmt.GetObjtype())]
	case *pg.Node_AlterObjectSchemaStmt:
		return "ALTER " + objectWords[s.AlterObjectSchemaStmt.GetObjectType()]
	case *pg.Node_AlterOwnerStmt:
		return "ALTER " + objectWords[s.AlterOwnerStmt.GetObjectType()]
	case *pg.Node_GrantStmt:
		if s.GrantStmt.GetIsGrant() {
			return "GRANT"
		}
		return "REVOKE"
	case *pg.Node_GrantRoleStmt:
		if s.GrantRoleStmt.GetIsGrant() {
			return "GRANT ROLE"
		}
		return "REVOKE ROLE"
	case *pg.Node_AlterRoleSetStmt, *pg.Node_AlterRoleStmt:
		return "ALTER ROLE"
	case *pg.Node_DefineStmt:
		return "CREATE " + objectWords[s.DefineStmt.GetKind()]
	}
	if t, ok := nodeTags[nodeName(n)]; ok {
		return t
	}
	return tagOfName(nodeName(n))
}

func orTable(o pg.ObjectType) pg.ObjectType {
	if objectWords[o] == "" {
		return pg.ObjectType_OBJECT_TABLE
	}
	return o
}

func transactionTag(k pg.TransactionStmtKind) string {
	switch k {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN:
		return "BEGIN"
	case pg.TransactionStmtKind_TRANS_STMT_START:
		return "START TRANSACTION"
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		return "COMMIT"
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		return "SAVEPOINT"
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		return "RELEASE"
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		return "PREPARE TRANSACTION"
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED:
		return "COMMIT PREPARED"
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		return "ROLLBACK PREPARED"
	}
	return "ROLLBACK"
}

// nodeTags has the tags that do not follow from the node's name.
var nodeTags = map[string]string{
	"CreateStmt": "CREATE TABLE", "IndexStmt": "CREATE INDEX", "ViewStmt": "CREATE VIEW", "CreateSeqStmt": "CREATE SEQUENCE",
	"AlterSeqStmt": "ALTER SEQUENCE", "VariableShowStmt": "SHOW", "DeclareCursorStmt": "DECLARE CURSOR", "CopyStmt": "COPY",
	"LockStmt": "LOCK TABLE", "TruncateStmt": "TRUNCATE TABLE", "ConstraintsSetStmt": "SET CONSTRAINTS",
	"CheckPointStmt": "CHECKPOINT", "RuleStmt": "CREATE RULE", "CreateTrigStmt": "CREATE TRIGGER",
	"CompositeTypeStmt": "CREATE TYPE", "CreateEnumStmt": "CREATE TYPE", "CreateRangeStmt": "CREATE TYPE",
	"AlterEnumStmt": "ALTER TYPE", "CreatedbStmt": "CREATE DATABASE", "DropdbStmt": "DROP DATABASE",
	"AlterDatabaseSetStmt": "ALTER DATABASE", "CreatePLangStmt": "CREATE LANGUAGE", "CreateFdwStmt": "CREATE FOREIGN DATA WRAPPER",
	"CreateForeignServerStmt": "CREATE SERVER", "SecLabelStmt": "SECURITY LABEL", "CreateAmStmt": "CREATE ACCESS METHOD",
	"CreateEventTrigStmt": "CREATE EVENT TRIGGER", "CreateStatsStmt": "CREATE STATISTICS",
	"RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW", "CreateTableSpaceStmt": "CREATE TABLESPACE",
	"DropTableSpaceStmt": "DROP TABLESPACE", "AlterDefaultPrivilegesStmt": "ALTER DEFAULT PRIVILEGES",
	"AlterObjectDependsStmt": "ALTER", "ReassignOwnedStmt": "REASSIGN OWNED", "AlterSystemStmt": "ALTER SYSTEM",
	"CreateOpClassStmt": "CREATE OPERATOR CLASS", "CreateOpFamilyStmt": "CREATE OPERATOR FAMILY",
	"AlterOpFamilyStmt": "ALTER OPERATOR FAMILY", "CreateConversionStmt": "CREATE CONVERSION",
	"AlterTableMoveAllStmt": "ALTER TABLE", "AlterExtensionContentsStmt": "ALTER EXTENSION",
}

// nodeName is the name of a node's type, "CreateStmt".
func nodeName(n *pg.Node) string {
	f := n.ProtoReflect().WhichOneof(n.ProtoReflect().Descriptor().Oneofs().ByName("node"))
	if f == nil || f.Message() == nil {
		return ""
	}
	return string(f.Message().Name())
}

// tagOfName makes "CREATE FUNCTION" of "CreateFunctionStmt".
func tagOfName(name string) string {
	name = strings.TrimSuffix(name, "Stmt")
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}
