// Package pgsql turns PostgreSQL statements into typed plans over SQLite SQL: it parses with PostgreSQL's own grammar,
// resolves names and types against a catalog.Schema as PostgreSQL does, and emits SQL that SQLite runs. It runs nothing.
package pgsql
