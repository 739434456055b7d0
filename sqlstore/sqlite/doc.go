// Package sqlite is a thin binding on the SQLite that go-sqlite3 carries, and a library of C functions that give
// SQLite PostgreSQL's arithmetic, aggregates and arrays. It knows nothing of tables, sessions or replication, starts no
// goroutine and keeps no state beyond its connections and the list of registered Go functions.
//
// go-sqlite3 is imported for its C code alone: its driver makes three to six calls across cgo for a statement where
// one is enough, and it cannot register window functions. Arguments travel as one byte string in catalog's row
// encoding, rows come back in the same encoding, a batch a call. Nothing here needs a build tag.
package sqlite

// The cgo step of this package alone cannot see SQLite's symbols, the final link can.

// #cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -Werror=implicit-function-declaration -fno-strict-aliasing
// #cgo LDFLAGS: -Wl,--unresolved-symbols=ignore-all -lm
import "C"

import _ "github.com/mattn/go-sqlite3" // the SQLite amalgamation
