// Connections and statements: each entry point does in one call what a statement needs, since every crossing from Go
// costs more than most steps of SQLite do.
#include "lc.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// Without statistics, which nobody reads, malloc and free take no lock that all connections share. SQLite takes this only
// before its first use.
__attribute__((constructor)) static void lc_configure(void) {
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  lc_page_cache();
}

static int lc_wal_hook(void *arg, sqlite3 *db, const char *name, int pages) {
  (void)db;
  (void)name;
  ((lc_conn *)arg)->wal_pages = pages;
  return SQLITE_OK;
}

static void conn_fail(lc_conn *c, int rc) {
  free(c->err);
  c->rc = rc;
  c->offset = c->db ? sqlite3_error_offset(c->db) : -1;
  c->err = strdup(c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
}

lc_conn *lc_open(const char *name, const char *vfs, int flags, uintptr_t handle, int busy_ms) {
  lc_conn *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->handle = handle;
  int rc = sqlite3_open_v2(name, &c->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(c->db, busy_ms);
  // "nosuch" in double quotes is an error, not a string; functions in indexes must be marked harmless.
  if (rc == SQLITE_OK) rc = sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  if (rc == SQLITE_OK) rc = lc_register_all(c);
  if (rc == SQLITE_OK) rc = sqlite3_set_authorizer(c->db, lc_authorize, c);
  if (rc != SQLITE_OK) {
    conn_fail(c, rc);
    return c;
  }
  // 0x7fffffff is cut down to what SQLite was compiled with. Some of these default lower (trigger depth excepted).
  for (int id = 0; id <= 9; id++) sqlite3_limit(c->db, id, 0x7fffffff);
  // The hook takes the place of SQLite's own checkpoint every 1,000 pages.
  sqlite3_wal_hook(c->db, lc_wal_hook, c);
  return c;
}

void lc_close(lc_conn *c) {
  if (!c) return;
  while (c->stmts) lc_finalize(c->stmts);
  sqlite3_close_v2(c->db);
  lc_buf_free(&c->scratch);
  free(c->err);
  free(c);
}

_Thread_local int lc_lenient;

// enter and leave are around each step of a statement: SQLite compiles again by itself when the schema has changed.
typedef struct modes {
  int guard, lenient;
} modes;

static modes enter(lc_conn *c, int guard, int lenient) {
  modes was = {c->guard, lc_lenient};
  c->guard = guard;
  lc_lenient = lenient;
  return was;
}

static void leave(lc_conn *c, modes was) {
  c->guard = was.guard;
  lc_lenient = was.lenient;
}

lc_stmt *lc_prepare(lc_conn *c, const char *sql, int64_t n, int guard, int lenient) {
  const char *tail = NULL;
  sqlite3_stmt *st = NULL;
  if (n > 1000000000) {
    free(c->err);
    c->rc = SQLITE_TOOBIG;
    c->offset = -1;
    c->err = strdup("statement too long");
    return NULL;
  }
  modes was = enter(c, guard, lenient);
  int rc = sqlite3_prepare_v3(c->db, sql, (int)n, SQLITE_PREPARE_PERSISTENT, &st, &tail);
  leave(c, was);
  if (rc != SQLITE_OK) {
    conn_fail(c, rc);
    return NULL;
  }
  for (; tail && tail < sql + n; tail++) {
    if (*tail == ' ' || *tail == '\n' || *tail == '\t' || *tail == '\r' || *tail == ';') continue;
    sqlite3_finalize(st);
    free(c->err);
    c->rc = SQLITE_MISUSE;
    c->offset = (int)(tail - sql);
    c->err = strdup("more than one statement");
    return NULL;
  }
  lc_stmt *s = calloc(1, sizeof *s);
  if (!s) {
    sqlite3_finalize(st);
    conn_fail(c, SQLITE_NOMEM);
    return NULL;
  }
  s->conn = c;
  s->next = c->stmts;
  if (s->next) s->next->prev = s;
  c->stmts = s;
  s->st = st;
  s->guard = guard;
  s->lenient = lenient;
  s->nparam = sqlite3_bind_parameter_count(st);
  s->ncol = sqlite3_column_count(st);
  s->readonly = sqlite3_stmt_readonly(st);
  return s;
}

void lc_finalize(lc_stmt *s) {
  if (!s) return;
  if (s->next) s->next->prev = s->prev;
  *(s->prev ? &s->prev->next : &s->conn->stmts) = s->next;
  sqlite3_finalize(s->st);
  lc_buf_free(&s->args);
  lc_buf_free(&s->out);
  free(s->err);
  free(s);
}

int lc_exec(lc_conn *c, const char *sql, int64_t n, int guard, int lenient) {
  const char *end = sql + n;
  modes was = enter(c, guard, lenient);
  int rc = SQLITE_OK;
  while (sql < end) {
    sqlite3_stmt *st = NULL;
    const char *tail = NULL;
    rc = sqlite3_prepare_v3(c->db, sql, (int)(end - sql), 0, &st, &tail);
    if (rc != SQLITE_OK) break;
    if (tail == sql) break;
    sql = tail;
    if (!st) continue;  // a comment or white space
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
    }
    if (rc != SQLITE_DONE) {
      conn_fail(c, rc);
      sqlite3_finalize(st);
      leave(c, was);
      return rc;
    }
    rc = sqlite3_finalize(st);
    if (rc != SQLITE_OK) break;
  }
  leave(c, was);
  if (rc != SQLITE_OK) conn_fail(c, rc);
  return rc;
}

static int stmt_fail(lc_stmt *s, int rc, const char *text) {
  free(s->err);
  s->err = strdup(text ? text : sqlite3_errmsg(s->conn->db));
  s->rc = rc;
  return rc;
}

// bind_next binds the encoded value at p to parameter i and returns what follows, NULL after an error (s->rc).
static const uint8_t *bind_next(lc_stmt *s, int i, const uint8_t *p, const uint8_t *end) {
  lc_value v;
  int rc;
  p = lc_decode(p, end, &v);
  if (!p) {
    stmt_fail(s, SQLITE_MISUSE, "malformed arguments");
    return NULL;
  }
  switch (v.kind) {
    case LC_INTEGER:
      rc = sqlite3_bind_int64(s->st, i, v.i);
      break;
    case LC_REAL:
      rc = sqlite3_bind_double(s->st, i, v.r);
      break;
    case LC_TEXT:
      rc = sqlite3_bind_text64(s->st, i, (const char *)v.p, (sqlite3_uint64)v.n, SQLITE_STATIC, SQLITE_UTF8);
      break;
    case LC_BLOB:
      rc = sqlite3_bind_blob64(s->st, i, v.p, (sqlite3_uint64)v.n, SQLITE_STATIC);
      break;
    default:
      rc = sqlite3_bind_null(s->st, i);
  }
  if (rc == SQLITE_OK) return p;
  stmt_fail(s, rc, NULL);
  return NULL;
}

// bind gives the statement its arguments, in place: the bytes must outlive the run.
static int bind(lc_stmt *s, const uint8_t *p, int64_t len, int nargs) {
  const uint8_t *end = p + len;
  if (nargs != s->nparam) {
    char msg[96];
    char *m = sqlite3_mprintf("statement has %d parameters, got %d arguments", s->nparam, nargs);
    strncpy(msg, m ? m : "wrong number of arguments", sizeof msg - 1);
    msg[sizeof msg - 1] = 0;
    sqlite3_free(m);
    return stmt_fail(s, SQLITE_MISUSE, msg);
  }
  for (int i = 1; i <= nargs; i++) {
    p = bind_next(s, i, p, end);
    if (!p) return s->rc;
  }
  return SQLITE_OK;
}

#define LC_KEEP (1 << 20)  // larger buffers are given back after use

static void trim(lc_buf *b) {
  if (b->cap > LC_KEEP) lc_buf_free(b);
  b->len = 0;
  b->oom = 0;
}

// rest ends a run: the statement holds no lock, snapshot or argument any more.
static void rest(lc_stmt *s) {
  sqlite3_reset(s->st);
  if (s->nparam) sqlite3_clear_bindings(s->st);
  trim(&s->args);
}

int lc_stmt_exec(lc_stmt *s, const uint8_t *args, int64_t len, int nargs) {
  lc_conn *c = s->conn;
  int rc;
  s->changes = 0;
  s->rows = 0;
  rc = bind(s, args, len, nargs);
  if (rc == SQLITE_OK) {
    sqlite3_int64 before = sqlite3_total_changes64(c->db);
    modes was = enter(c, s->guard, s->lenient);
    while ((rc = sqlite3_step(s->st)) == SQLITE_ROW) {
    }
    leave(c, was);
    if (rc == SQLITE_DONE) {
      if (sqlite3_total_changes64(c->db) != before) s->changes = sqlite3_changes64(c->db);
      s->rc = rc;
    } else {
      stmt_fail(s, rc, NULL);
    }
  }
  rest(s);
  return rc;
}

// count_up adds one to the big-endian number in the last four bytes of a key.
static void count_up(uint8_t *key, int n) {
  for (int i = n - 1; i >= n - 4 && ++key[i] == 0; i--) {
  }
}

int lc_stmt_rows(lc_stmt *s, const uint8_t *head, int64_t headlen, int nhead, const uint8_t *from, int keylen,
                 const uint8_t *rows, int64_t len, int nrows, int64_t *rowids, int64_t *used) {
  lc_conn *c = s->conn;
  const uint8_t *p = rows, *end = p + len, *h = head;
  int rc = SQLITE_OK, first = nhead + (keylen > 0);
  uint8_t key[LC_KEY];
  s->changes = 0;
  s->rows = 0;
  *used = 0;
  if (keylen > LC_KEY || (keylen && keylen < 4) || first > s->nparam) return stmt_fail(s, SQLITE_MISUSE, "malformed rows");
  if (keylen) memcpy(key, from, keylen);
  for (int i = 1; i <= nhead && rc == SQLITE_OK; i++)
    if (!(h = bind_next(s, i, h, head + headlen))) rc = s->rc;
  modes was = enter(c, s->guard, s->lenient);
  while (rc == SQLITE_OK && s->rows < nrows) {
    const uint8_t *q = p;
    if (keylen && (rc = sqlite3_bind_blob64(s->st, first, key, keylen, SQLITE_STATIC)) != SQLITE_OK) {
      stmt_fail(s, rc, NULL);
      break;
    }
    for (int i = first + 1; i <= s->nparam && q; i++) q = bind_next(s, i, q, end);
    if (!q) {
      rc = s->rc;
      break;
    }
    while ((rc = sqlite3_step(s->st)) == SQLITE_ROW) {
    }
    if (rc != SQLITE_DONE) {
      stmt_fail(s, rc, NULL);
      break;
    }
    rc = sqlite3_reset(s->st);
    rowids[s->rows++] = sqlite3_last_insert_rowid(c->db);
    p = q;
    if (keylen) count_up(key, keylen);
  }
  leave(c, was);
  *used = p - rows;
  s->changes = s->rows;
  if (rc == SQLITE_OK) rc = s->rc = SQLITE_DONE;
  rest(s);
  return rc;
}

int lc_stmt_query(lc_stmt *s, const uint8_t *args, int64_t len, int nargs, int maxrows, int64_t maxbytes) {
  // The arguments are copied: rows may be asked for after the caller's bytes have moved on.
  trim(&s->args);
  lc_buf_add(&s->args, args, len);
  s->changes = 0;
  s->rows = 0;
  s->out.len = 0;
  s->rc = SQLITE_OK;
  if (s->args.oom) {
    s->args.oom = 0;
    return stmt_fail(s, SQLITE_NOMEM, "out of memory");
  }
  int rc = bind(s, s->args.p, len, nargs);
  if (rc != SQLITE_OK) {
    rest(s);
    return rc;
  }
  return lc_stmt_fetch(s, maxrows, maxbytes);
}

int lc_stmt_fetch(lc_stmt *s, int maxrows, int64_t maxbytes) {
  lc_conn *c = s->conn;
  int rc = SQLITE_OK;
  sqlite3_int64 before = s->readonly ? 0 : sqlite3_total_changes64(c->db);
  trim(&s->out);
  s->rows = 0;
  modes was = enter(c, s->guard, s->lenient);
  while (s->rows < maxrows && s->out.len < maxbytes && (rc = sqlite3_step(s->st)) == SQLITE_ROW) {
    // The count is asked for each time: an automatic recompilation after DDL can change it.
    int n = sqlite3_column_count(s->st);
    if (s->rows == 0) s->ncol = n;
    for (int i = 0; i < n; i++) lc_encode_sqlite(&s->out, sqlite3_column_value(s->st, i));
    if (s->out.oom) {
      leave(c, was);
      s->rows = 0;
      s->out.len = 0;
      stmt_fail(s, SQLITE_NOMEM, "out of memory");
      rest(s);
      return SQLITE_NOMEM;
    }
    s->rows++;
  }
  leave(c, was);
  if (rc == SQLITE_ROW) rc = SQLITE_OK;
  if (rc == SQLITE_DONE) {
    if (s->rows == 0) s->ncol = sqlite3_column_count(s->st);
    s->rc = rc;
  } else if (rc != SQLITE_OK) {
    stmt_fail(s, rc, NULL);
  }
  if (!s->readonly && sqlite3_total_changes64(c->db) != before) s->changes = sqlite3_changes64(c->db);
  if (rc != SQLITE_OK) rest(s);
  return rc;
}

void lc_stmt_reset(lc_stmt *s) {
  rest(s);
  trim(&s->out);
}

int lc_trim(void) {
#ifdef __GLIBC__
  return malloc_trim(0);
#else
  return 0;
#endif
}

int lc_checkpoint(lc_conn *c, int mode, int *wal, int *done) {
  int rc = sqlite3_wal_checkpoint_v2(c->db, NULL, mode, wal, done);
  if (rc != SQLITE_OK) conn_fail(c, rc);
  return rc;
}

sqlite3_backup *lc_backup_open(lc_conn *to, lc_conn *from) {
  sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
  if (b == NULL) conn_fail(to, sqlite3_extended_errcode(to->db));
  return b;
}

int lc_backup_step(lc_conn *to, sqlite3_backup *b, int pages) {
  int rc = sqlite3_backup_step(b, pages);
  if (rc != SQLITE_OK && rc != SQLITE_DONE) conn_fail(to, rc);
  return rc;
}

int lc_backup_close(lc_conn *to, sqlite3_backup *b) {
  int rc = sqlite3_backup_finish(b);
  if (rc != SQLITE_OK) conn_fail(to, rc);
  return rc;
}
