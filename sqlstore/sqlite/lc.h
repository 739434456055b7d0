// What the C files of this package share.
#ifndef LAYERCAKE_LC_H
#define LAYERCAKE_LC_H

#include "sqliteapi.h"

// A growing byte buffer. oom is set once memory or the length limit ran out; appends are then ignored.
typedef struct lc_buf {
  uint8_t *p;
  int64_t len, cap;
  int oom;
} lc_buf;

int lc_buf_reserve(lc_buf *b, int64_t more);  // nonzero: there is room for more bytes
void lc_buf_add(lc_buf *b, const void *p, int64_t n);
void lc_buf_byte(lc_buf *b, uint8_t c);
void lc_buf_free(lc_buf *b);

// Tags of the row encoding (catalog/rowcodec.go).
enum { LC_NULL = 0, LC_INTEGER = 1, LC_REAL = 2, LC_TEXT = 3, LC_BLOB = 4 };

// One decoded value. p is not NUL-terminated.
typedef struct lc_value {
  int kind;
  int64_t i;
  double r;
  const uint8_t *p;
  int64_t n;
} lc_value;

// lc_decode reads one encoded value at p, before end; it returns what follows, or NULL when the bytes are malformed.
const uint8_t *lc_decode(const uint8_t *p, const uint8_t *end, lc_value *v);
void lc_encode(lc_buf *b, const lc_value *v);
void lc_encode_sqlite(lc_buf *b, sqlite3_value *v);
void lc_result(sqlite3_context *ctx, const lc_value *v);
void lc_from_sqlite(sqlite3_value *v, lc_value *out);

// A connection. guard says whether statements that are being compiled or run now are the client's.
typedef struct lc_conn {
  sqlite3 *db;
  uintptr_t handle;  // the Go *Conn
  int guard;
  int wal_pages;
  lc_buf scratch;  // arguments of Go functions on their way
  int rc, offset;  // outcome of lc_open, lc_prepare, lc_exec
  char *err;
  struct lc_stmt *stmts;  // all that are prepared: closing ends them, those that rows are still being read from too
} lc_conn;

// A prepared statement and the outcome of its last run. Go reads the fields; only C writes them.
typedef struct lc_stmt {
  struct lc_stmt *next, *prev;
  lc_conn *conn;
  sqlite3_stmt *st;
  int guard, lenient;
  int nparam, ncol, readonly;
  lc_buf args;  // copy of the arguments while rows are still to come
  lc_buf out;   // rows of the last batch
  int rows;
  int rc;  // SQLITE_OK: more rows may come; SQLITE_DONE; else an extended error code
  char *err;
  int64_t changes;
} lc_stmt;

lc_conn *lc_open(const char *name, const char *vfs, int flags, uintptr_t handle, int busy_ms);
const char *lc_vfs(void);
void lc_page_cache(void);
int64_t lc_cache_searches(void);
void lc_close(lc_conn *c);
// With lenient, a function that fails for its arguments gives NULL: see StoreStmt.
int lc_exec(lc_conn *c, const char *sql, int64_t n, int guard, int lenient);
lc_stmt *lc_prepare(lc_conn *c, const char *sql, int64_t n, int guard, int lenient);
void lc_finalize(lc_stmt *s);
int lc_stmt_exec(lc_stmt *s, const uint8_t *args, int64_t len, int nargs);
// lc_stmt_rows runs the statement once for each row. Its first parameters take the values of head, the same for all rows;
// the next one, if keylen is not 0, takes a BLOB: key for the first row, whose last four bytes count up from row to row;
// the others take the values of a row. It says in s->rows for how many rows the statement has run, and in used how many
// bytes they took. rowids has room for nrows.
enum { LC_KEY = 64 };  // the longest key
int lc_stmt_rows(lc_stmt *s, const uint8_t *head, int64_t headlen, int nhead, const uint8_t *key, int keylen,
                 const uint8_t *rows, int64_t len, int nrows, int64_t *rowids, int64_t *used);
int lc_stmt_query(lc_stmt *s, const uint8_t *args, int64_t len, int nargs, int maxrows, int64_t maxbytes);
int lc_stmt_fetch(lc_stmt *s, int maxrows, int64_t maxbytes);
void lc_stmt_reset(lc_stmt *s);
int lc_trim(void);  // nonzero: memory was given back
sqlite3_backup *lc_backup_open(lc_conn *to, lc_conn *from);
int lc_backup_step(lc_conn *to, sqlite3_backup *b, int pages);
int lc_backup_close(lc_conn *to, sqlite3_backup *b);
int lc_checkpoint(lc_conn *c, int mode, int *wal, int *done);

int lc_authorize(void *arg, int action, const char *a, const char *b, const char *db, const char *trigger);

// A scalar function. It is registered once for each number of arguments from min to max; max -1: any number.
typedef void (*lc_func)(sqlite3_context *, int, sqlite3_value **);
typedef struct lc_def {
  const char *name;
  int min, max;
  lc_func fn;
  intptr_t arg;    // lc_arg(ctx)
  int nondeterministic;
} lc_def;

// An aggregate, usable over any window frame since it has an inverse.
typedef struct lc_agg {
  const char *name;
  int min, max;
  lc_func step;
  void (*final)(sqlite3_context *);
  void (*value)(sqlite3_context *);
  lc_func inverse;
  intptr_t arg;
} lc_agg;

#define LC_END {0}

static inline intptr_t lc_arg(sqlite3_context *ctx) { return (intptr_t)sqlite3_user_data(ctx); }

extern const lc_def lc_integer_functions[], lc_float_functions[], lc_math_functions[], lc_row_functions[],
    lc_numeric_functions[], lc_numeric_casts[], lc_array_functions[], lc_array_searches[], lc_text_functions[];
extern const lc_agg lc_row_aggregates[], lc_numeric_aggregates[], lc_float_aggregates[], lc_other_aggregates[];

int lc_jsonb_lacks(sqlite3_value **argv);
int lc_jsonb_keyless(sqlite3_value **argv);
int lc_jsonb_collation(void *arg, int na, const void *a, int nb, const void *b);
int lc_register_all(lc_conn *c);
int lc_register_tables(lc_conn *c);
int lc_register_case(lc_conn *c);
int lc_register_go(lc_conn *c, const char *name, int nargs, int flags, int id);

// lc_lenient is set while this thread runs a lenient statement.
extern _Thread_local int lc_lenient;

// lc_error makes the call fail with a SQLSTATE; the binding turns the message into a *pgerror.Error.
void lc_error(sqlite3_context *ctx, const char *sqlstate, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Go functions that C functions of ours call; those that were registered have ids from 0.
enum { LC_GO_UPPER = -1, LC_GO_LOWER = -2 };

// One call of a Go function: filled by the C trampoline, answered by lcGoCall.
typedef struct lc_gocall {
  uintptr_t conn;
  int id, nargs;
  uint8_t *args;
  int64_t len;
  uint8_t *out;  // room for the encoded result; Go replaces it with malloc'ed memory when it is too small
  int64_t outlen, outcap;
  int lenient;  // an error of the statement gives NULL
  int failed;
} lc_gocall;

// lc_null: one of the arguments is NULL. The result of the call stays NULL then.
static inline int lc_null(int argc, sqlite3_value **argv) {
  for (int i = 0; i < argc; i++)
    if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return 1;
  return 0;
}

// lc_int4 reads an argument that the type checker made an int4.
static inline int64_t lc_int4(sqlite3_value *v) {
  int64_t i = sqlite3_value_int64(v);
  return i > INT32_MAX ? INT32_MAX : i < INT32_MIN ? INT32_MIN : i;
}

void lc_division_by_zero(sqlite3_context *ctx);

// Floats: NaN is the TEXT 'NaN' in SQLite.
double lc_get_float(sqlite3_value *v);
void lc_result_float(sqlite3_context *ctx, double d);

#endif
