package pgsql

// macros are functions with a body of PostgreSQL text.
var macros = map[string]string{}

// specials are functions with code of their own.
var specials map[string]func(*compiler, *call) *expr
