// Rows in catalog's row encoding as SQL values: taking one apart, making one, and the aggregates that gather them.
#include "lc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void malformed(sqlite3_context *ctx) { lc_error(ctx, "XX001", "malformed row"); }

// lc_item(row, i): the i-th value, from 0.
static void item(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  const uint8_t *p = sqlite3_value_blob(argv[0]), *end = p + sqlite3_value_bytes(argv[0]);
  int64_t i = lc_int4(argv[1]);
  lc_value v = {0};
  do {
    if (!p || !(p = lc_decode(p, end, &v))) {
      malformed(ctx);
      return;
    }
  } while (i-- > 0);
  lc_result(ctx, &v);
}

// give_buf makes the buffer's bytes the result and empties it.
static void give_buf(sqlite3_context *ctx, lc_buf *b) {
  if (b->oom) {
    sqlite3_result_error_nomem(ctx);
    lc_buf_free(b);
  } else if (b->len == 0) {
    sqlite3_result_blob64(ctx, "", 0, SQLITE_STATIC);
    lc_buf_free(b);
  } else {
    sqlite3_result_blob64(ctx, b->p, (sqlite3_uint64)b->len, free);
    memset(b, 0, sizeof *b);
  }
}

// lc_holds(set, n): whether a set of integers has n. The set is their ascending 8-byte little-endian forms.
static void holds(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  const uint8_t *p = sqlite3_value_blob(argv[0]);
  int64_t n = sqlite3_value_int64(argv[1]);
  size_t low = 0, high = p ? (size_t)sqlite3_value_bytes(argv[0]) / 8 : 0;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    uint64_t u = 0;
    for (int i = 7; i >= 0; i--) u = u << 8 | p[mid * 8 + (size_t)i];
    if ((int64_t)u == n) {
      sqlite3_result_int64(ctx, 1);
      return;
    }
    if ((int64_t)u < n)
      low = mid + 1;
    else
      high = mid;
  }
  sqlite3_result_int64(ctx, 0);
}

static void row(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_buf b = {0};
  for (int i = 0; i < argc; i++) lc_encode_sqlite(&b, argv[i]);
  give_buf(ctx, &b);
}

static const char *text_of(sqlite3_value *v) {
  const char *s = (const char *)sqlite3_value_text(v);
  return s ? s : "";
}

// lc_raise(sqlstate, message[, detail[, hint]]) fails. It is not deterministic, so that SQLite does not call it ahead
// of the condition that guards it.
static void raise_error(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_error(ctx, text_of(argv[0]), "%s%s%s%s%s", text_of(argv[1]), argc > 2 ? "\x01" : "", argc > 2 ? text_of(argv[2]) : "",
           argc > 3 ? "\x02" : "", argc > 3 ? text_of(argv[3]) : "");
}

// lc_pack(v1, …): the rows fed, one after the other. A window frame drops its oldest row first.
typedef struct pack {
  lc_buf buf;
  int64_t start;
} pack;

static void pack_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  pack *p = sqlite3_aggregate_context(ctx, sizeof *p);
  if (!p) return;
  for (int i = 0; i < argc; i++) lc_encode_sqlite(&p->buf, argv[i]);
  if (p->buf.oom) sqlite3_result_error_nomem(ctx);
}

static void pack_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argv;
  pack *p = sqlite3_aggregate_context(ctx, sizeof *p);
  lc_value v;
  if (!p) return;
  const uint8_t *at = p->buf.p + p->start, *end = p->buf.p + p->buf.len;
  for (int i = 0; i < argc && at; i++) at = lc_decode(at, end, &v);
  if (at) p->start = at - p->buf.p;
}

static void pack_value(sqlite3_context *ctx) {
  pack *p = sqlite3_aggregate_context(ctx, 0);
  if (!p || p->buf.len == p->start)
    sqlite3_result_blob64(ctx, "", 0, SQLITE_STATIC);
  else
    sqlite3_result_blob64(ctx, p->buf.p + p->start, (sqlite3_uint64)(p->buf.len - p->start), SQLITE_TRANSIENT);
}

static void pack_final(sqlite3_context *ctx) {
  pack *p = sqlite3_aggregate_context(ctx, 0);
  if (p && p->start == 0) {
    give_buf(ctx, &p->buf);
    return;
  }
  pack_value(ctx);
  if (p) lc_buf_free(&p->buf);
}

// lc_one(x): the value of a scalar subquery.
typedef struct one {
  int64_t rows;
  sqlite3_value *v;
} one;

static void one_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  one *o = sqlite3_aggregate_context(ctx, sizeof *o);
  if (!o) return;
  if (o->rows++) {
    lc_error(ctx, "21000", "more than one row returned by a subquery used as an expression");
    return;
  }
  o->v = sqlite3_value_dup(argv[0]);
  if (!o->v) sqlite3_result_error_nomem(ctx);
}

static void one_final(sqlite3_context *ctx) {
  one *o = sqlite3_aggregate_context(ctx, 0);
  if (!o || !o->v) return;
  sqlite3_result_value(ctx, o->v);
  sqlite3_value_free(o->v);
  o->v = NULL;
}

const lc_def lc_row_functions[] = {
    {"lc_item", 2, 2, item, 0, 0},
    {"lc_holds", 2, 2, holds, 0, 0},
    {"lc_row", -1, -1, row, 0, 0},
    {"lc_raise", 2, 4, raise_error, 0, 1},
    LC_END,
};

const lc_agg lc_row_aggregates[] = {
    {"lc_pack", -1, -1, pack_step, pack_final, pack_value, pack_inverse, 0},
    {"lc_one", 1, 1, one_step, one_final, NULL, NULL, 0},
    LC_END,
};
