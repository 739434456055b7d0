package pgsql

import "layercake/catalog"

// Env is what a statement is compiled against. Plans compiled with an equal Schema, SearchPath, User, Superuser, Database and
// parameter types are interchangeable.
type Env struct {
	Schema     *catalog.Schema
	SearchPath []string // as SET, without the implied pg_catalog; "$user" already resolved
	User       string
	Superuser  bool // User is asked for no privilege
	Database   string
	// NewID returns an ID for an object to be created.
	NewID func() catalog.ID
	// TimeZone and DateStyle are used to read constants of date and time types.
	Output *catalog.OutputSettings
}
