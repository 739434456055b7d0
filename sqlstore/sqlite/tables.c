// Table-valued functions: lc_rows takes a row set apart, lc_unnest an array, lc_series counts. Each is an
// eponymous-only virtual table whose hidden columns are the arguments.
#include "arraycodec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_COLUMNS 128

enum { ROWS, UNNEST, SERIES };

typedef struct table {
  sqlite3_vtab base;
  int kind, first_hidden, min_args, max_args;
} table;

typedef struct cursor {
  sqlite3_vtab_cursor base;
  int64_t rowid;  // from 1
  int done;
  // ROWS and UNNEST: a copy of the argument, the row at hand and what follows it
  uint8_t *data;
  const uint8_t *next, *end;
  int ncols;
  lc_value v[ROWS_COLUMNS];
  int64_t left;  // UNNEST: elements after this one
  // SERIES
  int64_t value, stop, step;
} cursor;

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **err) {
  (void)argc;
  (void)argv;
  (void)err;
  char sql[2048];
  size_t n;
  table *t = sqlite3_malloc64(sizeof *t);
  if (!t) return SQLITE_NOMEM;
  memset(t, 0, sizeof *t);
  t->kind = (int)(intptr_t)aux;
  t->min_args = 2;
  t->max_args = 2;
  switch (t->kind) {
    case ROWS:
      n = (size_t)snprintf(sql, sizeof sql, "CREATE TABLE x(");
      for (int i = 0; i < ROWS_COLUMNS; i++) n += (size_t)snprintf(sql + n, sizeof sql - n, "c%d,", i);
      snprintf(sql + n, sizeof sql - n, "data HIDDEN,ncols HIDDEN)");
      t->first_hidden = ROWS_COLUMNS;
      break;
    case UNNEST:
      snprintf(sql, sizeof sql, "CREATE TABLE x(value,ordinality,array HIDDEN)");
      t->first_hidden = 2;
      t->min_args = t->max_args = 1;
      break;
    default:
      snprintf(sql, sizeof sql, "CREATE TABLE x(value,start HIDDEN,stop HIDDEN,step HIDDEN)");
      t->first_hidden = 1;
      t->max_args = 3;
  }
  int rc = sqlite3_declare_vtab(db, sql);
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  if (rc != SQLITE_OK) {
    sqlite3_free(t);
    return rc;
  }
  *out = &t->base;
  return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *v) {
  sqlite3_free(v);
  return SQLITE_OK;
}

static int best_index(sqlite3_vtab *v, sqlite3_index_info *info) {
  table *t = (table *)v;
  int at[3] = {-1, -1, -1}, unusable = 0, n = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    int arg = info->aConstraint[i].iColumn - t->first_hidden;
    if (arg < 0 || arg >= t->max_args || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (info->aConstraint[i].usable)
      at[arg] = i;
    else
      unusable |= 1 << arg;
  }
  for (int arg = 0; arg < t->max_args; arg++) {
    if (at[arg] < 0) {
      if (unusable >> arg & 1) return SQLITE_CONSTRAINT;  // another order of the join has it
      break;
    }
    info->aConstraintUsage[at[arg]].argvIndex = ++n;
    info->aConstraintUsage[at[arg]].omit = 1;
  }
  if (n < t->min_args) {
    v->zErrMsg = sqlite3_mprintf("too few arguments of a table-valued function");
    return SQLITE_ERROR;
  }
  info->idxNum = n;
  // Dear enough that a join puts it outside and looks its rows up in the other table's index.
  info->estimatedCost = 2000;
  info->estimatedRows = 200;
  return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *v, sqlite3_vtab_cursor **out) {
  (void)v;
  cursor *c = sqlite3_malloc64(sizeof *c);
  if (!c) return SQLITE_NOMEM;
  memset(c, 0, sizeof *c);
  *out = &c->base;
  return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *vc) {
  cursor *c = (cursor *)vc;
  sqlite3_free(c->data);
  sqlite3_free(c);
  return SQLITE_OK;
}

static int fail(cursor *c, const char *msg) {
  sqlite3_free(c->base.pVtab->zErrMsg);
  c->base.pVtab->zErrMsg = sqlite3_mprintf("%s", msg);
  return SQLITE_ERROR;
}

static int next(sqlite3_vtab_cursor *vc) {
  cursor *c = (cursor *)vc;
  c->rowid++;
  switch (((table *)vc->pVtab)->kind) {
    case ROWS:
      if (c->next == c->end) {
        c->done = 1;
        return SQLITE_OK;
      }
      for (int i = 0; i < c->ncols; i++)
        if (!(c->next = lc_decode(c->next, c->end, &c->v[i]))) {
          c->next = c->end;
          return fail(c, "LCXX001:malformed row set");
        }
      return SQLITE_OK;
    case UNNEST:
      if (c->left-- == 0) {
        c->left = 0;
        c->done = 1;
        return SQLITE_OK;
      }
      c->next = lc_decode(c->next, c->end, &c->v[0]);  // checked as a whole before
      return SQLITE_OK;
    default:
      if (__builtin_add_overflow(c->value, c->step, &c->value)) {
        c->done = 1;
        return SQLITE_OK;
      }
      c->done = c->step > 0 ? c->value > c->stop : c->value < c->stop;
      return SQLITE_OK;
  }
}

static int filter(sqlite3_vtab_cursor *vc, int idx, const char *str, int argc, sqlite3_value **argv) {
  (void)idx;
  (void)str;
  cursor *c = (cursor *)vc;
  int kind = ((table *)vc->pVtab)->kind;
  c->rowid = 0;
  c->done = 0;
  for (int i = 0; i < argc; i++)
    if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
      c->done = 1;
      return SQLITE_OK;
    }
  if (kind == SERIES) {
    c->value = sqlite3_value_int64(argv[0]);
    c->stop = sqlite3_value_int64(argv[1]);
    c->step = argc > 2 ? sqlite3_value_int64(argv[2]) : 1;
    if (c->step == 0) return fail(c, "LC22023:step size cannot equal zero");
    c->rowid = 1;
    c->done = c->step > 0 ? c->value > c->stop : c->value < c->stop;
    return SQLITE_OK;
  }
  // The argument is gone after this call.
  const void *p = sqlite3_value_blob(argv[0]);
  int64_t n = p ? sqlite3_value_bytes(argv[0]) : 0;
  sqlite3_free(c->data);
  c->data = sqlite3_malloc64((sqlite3_uint64)n + 1);
  if (!c->data) return SQLITE_NOMEM;
  if (n) memcpy(c->data, p, (size_t)n);
  c->next = c->data;
  c->end = c->data + n;
  if (kind == ROWS) {
    int64_t ncols = sqlite3_value_int64(argv[1]);
    if (ncols < 1 || ncols > ROWS_COLUMNS) return fail(c, "LC54011:a row set has between 1 and 128 columns");
    c->ncols = (int)ncols;
  } else {
    lc_array a;
    if (!lc_array_decode(c->data, n, &a)) return fail(c, "LCXX001:malformed array");
    c->next = a.p;
    c->end = a.end;
    c->left = a.n;
    c->ncols = 1;
  }
  return next(vc);
}

static int eof(sqlite3_vtab_cursor *vc) { return ((cursor *)vc)->done; }

static int column(sqlite3_vtab_cursor *vc, sqlite3_context *ctx, int i) {
  cursor *c = (cursor *)vc;
  table *t = (table *)vc->pVtab;
  if (t->kind == SERIES) {
    if (i == 0) sqlite3_result_int64(ctx, c->value);
  } else if (t->kind == UNNEST && i == 1) {
    sqlite3_result_int64(ctx, c->rowid);
  } else if (i < c->ncols) {
    lc_result(ctx, &c->v[i]);
  }
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *vc, sqlite3_int64 *out) {
  *out = ((cursor *)vc)->rowid;
  return SQLITE_OK;
}

// xCreate is absent: eponymous only, CREATE VIRTUAL TABLE cannot make another.
static const sqlite3_module module = {
    .iVersion = 0,
    .xConnect = connect_table,
    .xBestIndex = best_index,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
};

int lc_register_tables(lc_conn *c) {
  int rc = sqlite3_create_module_v2(c->db, "lc_rows", &module, (void *)(intptr_t)ROWS, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_create_module_v2(c->db, "lc_unnest", &module, (void *)(intptr_t)UNNEST, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_create_module_v2(c->db, "lc_series", &module, (void *)(intptr_t)SERIES, NULL);
  return rc;
}
