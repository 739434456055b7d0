package catalog

// Function is a function, aggregate, window function or set-returning function that a statement may call.
//
// Impl says how pgsql emits a call as SQLite SQL:
//
//   - a plain name ("lc_upper"): Impl(args…). For aggregates and window functions likewise (with FILTER, OVER kept).
//   - a text with $1, $2 …: a template; $1 is the emitted first argument (parenthesised by pgsql where it is not
//     atomic). Further variables: $t1 the OID of the first argument's actual type, $m1 its typmod, $rt the OID of the
//     result's actual type, $tz the session's TimeZone (TEXT), $env the session's output settings (TEXT, see
//     ParseOutputSettings), $now the transaction's start (INTEGER µs since 2000-01-01 UTC), $args all arguments,
//     comma-separated ($args2: from the second), $targs for each argument its type's OID, its typmod and its value
//     ($targs2: from the second), $snow the statement's start (as $now).
//   - "@name": pgsql has code for it (pg_table_is_visible, …), registered under name. "@cast": the call is a cast of its
//     argument to Ret.
//
// A set-returning function's Impl gives one value that holds the rows: an array, to be read through lc_unnest, when
// the function has one column; a row set, to be read through lc_rows, when OutTypes has several. An Impl that begins
// with "lc_series(" or "lc_unnest(" is table-valued itself.
//
// An aggregate's Impl may be "CALL => FINAL": CALL is the aggregate call, a name or a template (DISTINCT, ORDER BY,
// FILTER and OVER belong to its outermost call), FINAL a template of what is made of its result, which is $1 there. In
// that of an ordered-set aggregate the direct arguments come first, then WITHIN GROUP's; $desc is 1 if those are ordered
// DESC, else 0.
//
// A VARIADIC function gets its variadic arguments as an array where Impl is a template that names the last parameter
// ($2 …); where Impl uses $args it takes them one by one, and as an array only if the call says VARIADIC.
//
// A strict function is one whose SQLite side returns NULL for any NULL argument by itself; pgsql adds nothing.
type Function struct {
	OID         uint32
	Schema      string // "pg_catalog", or "layercake"
	Name        string
	Args        []uint32 // type OIDs, polymorphic pseudo-types allowed
	Variadic    bool     // the last argument is VARIADIC: Args ends in its array type
	ArgNames    []string // for named notation; nil: none has a name; may be shorter than Args
	Defaults    int      // how many trailing arguments may be left out
	ArgDefaults []string // their values, as PostgreSQL text; pgsql fills them in
	Ret         uint32
	RetSet      bool
	OutNames    []string // names of OUT columns for a set-returning function with more than one (types in OutTypes)
	OutTypes    []uint32
	Kind        byte // 'f' function, 'a' aggregate, 'w' window function
	Strict      bool
	Volatility  byte // 'i', 's', 'v'
	Impl        string

	// Distinct is an aggregate's Impl for calls with DISTINCT where Impl has several arguments, which SQLite refuses.
	Distinct string
}

// Operator is a binary or (Left 0) prefix operator. Impl is as a Function's.
type Operator struct {
	OID         uint32
	Name        string
	Left, Right uint32
	Ret         uint32
	Impl        string
	Commutator  string
	Negator     string
}

// Cast is a conversion between two types. Context is 'i' implicit, 'a' assignment, 'e' explicit. Impl is as a
// Function's, with $1 the value; "" means the stored forms are the same. A cast between different types knows no
// typmod (but for $m in those from text, where an interval's fields depend on it): when the target has one, the cast of
// the target type to itself follows, with $m the typmod and $x 1 if the cast is explicit, else 0.
type Cast struct {
	Source, Target uint32
	Context        byte
	Impl           string
}
