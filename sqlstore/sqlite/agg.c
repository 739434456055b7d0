#define _GNU_SOURCE  // qsort_r
// Aggregates that are not arithmetic: logic, bits, strings, arrays, ordered sets.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arraycodec.h"

// bool_and, bool_or.
typedef struct votes {
  int64_t yes, no;
} votes;

static void vote(sqlite3_context *ctx, sqlite3_value *v, int by) {
  if (sqlite3_value_type(v) == SQLITE_NULL) return;
  votes *b = sqlite3_aggregate_context(ctx, sizeof *b);
  if (b) *(sqlite3_value_int64(v) ? &b->yes : &b->no) += by;
}

static void bool_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  vote(ctx, argv[0], 1);
}

static void bool_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  vote(ctx, argv[0], -1);
}

static void bool_value(sqlite3_context *ctx) {
  votes *b = sqlite3_aggregate_context(ctx, 0);
  if (b && b->yes + b->no) sqlite3_result_int64(ctx, lc_arg(ctx) ? b->yes > 0 : b->no == 0);
}

// bit_and, bit_or, bit_xor: how many of the rows have each bit.
typedef struct bits {
  int64_t n, set[64];
} bits;

static void count_bits(sqlite3_context *ctx, sqlite3_value *v, int by) {
  if (sqlite3_value_type(v) == SQLITE_NULL) return;
  bits *b = sqlite3_aggregate_context(ctx, sizeof *b);
  if (!b) return;
  uint64_t u = (uint64_t)sqlite3_value_int64(v);
  b->n += by;
  for (int i = 0; i < 64; i++) b->set[i] += (int64_t)(u >> i & 1) * by;
}

static void bit_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  count_bits(ctx, argv[0], 1);
}

static void bit_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  count_bits(ctx, argv[0], -1);
}

static void bit_value(sqlite3_context *ctx) {
  bits *b = sqlite3_aggregate_context(ctx, 0);
  if (!b || b->n == 0) return;
  uint64_t u = 0;
  for (int i = 0; i < 64; i++) {
    int on = lc_arg(ctx) == '&' ? b->set[i] == b->n : lc_arg(ctx) == '|' ? b->set[i] > 0 : (int)(b->set[i] & 1);
    u |= (uint64_t)on << i;
  }
  sqlite3_result_int64(ctx, (int64_t)u);
}

// string_agg(value, delimiter), of text or bytea. lengths holds, for each value, the length of the delimiter before it
// and its own, so that a window frame can drop the oldest.
typedef struct strings {
  lc_buf text, lengths;
  int64_t start, first;  // of what is left in text and in lengths
  int blob;
} strings;

static void string_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  strings *s = sqlite3_aggregate_context(ctx, sizeof *s);
  if (!s) return;
  s->blob = sqlite3_value_type(argv[0]) == SQLITE_BLOB;
  const void *v = sqlite3_value_blob(argv[0]), *d = sqlite3_value_blob(argv[1]);
  int64_t len[2] = {d && sqlite3_value_type(argv[1]) != SQLITE_NULL ? sqlite3_value_bytes(argv[1]) : 0,
                    v ? sqlite3_value_bytes(argv[0]) : 0};
  if (s->lengths.len > 0)  // the first value's delimiter is never shown
    lc_buf_add(&s->text, d, len[0]);
  else
    len[0] = 0;
  lc_buf_add(&s->text, v, len[1]);
  lc_buf_add(&s->lengths, len, sizeof len);
  if (s->text.oom || s->lengths.oom) sqlite3_result_error_nomem(ctx);
}

static void string_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  strings *s = sqlite3_aggregate_context(ctx, sizeof *s);
  int64_t len[2];
  if (!s || s->lengths.len - s->first < (int64_t)sizeof len) return;
  memcpy(len, s->lengths.p + s->first, sizeof len);
  s->start += len[0] + len[1];
  s->first += (int64_t)sizeof len;
}

static void string_value(sqlite3_context *ctx) {
  strings *s = sqlite3_aggregate_context(ctx, 0);
  int64_t len[2];
  if (!s || s->lengths.len == s->first) return;
  memcpy(len, s->lengths.p + s->first, sizeof len);
  int64_t from = s->start + len[0], n = s->text.len - from;
  if (n > 1000000000) {
    sqlite3_result_error_toobig(ctx);
    return;
  }
  const void *p = n ? (const void *)(s->text.p + from) : "";
  if (s->blob)
    sqlite3_result_blob64(ctx, p, (sqlite3_uint64)n, SQLITE_TRANSIENT);
  else
    sqlite3_result_text64(ctx, p, (sqlite3_uint64)n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void string_final(sqlite3_context *ctx) {
  string_value(ctx);
  strings *s = sqlite3_aggregate_context(ctx, 0);
  if (!s) return;
  lc_buf_free(&s->text);
  lc_buf_free(&s->lengths);
}

// array_agg(value, type); the argument of the registration is the type of a one-argument form, or 1 for arrays. In array_agg of arrays the elements are those of the arrays, which must be of one shape.
typedef struct elements {
  lc_buf buf;
  int64_t start, n;  // first byte left; values fed and not taken back
  int64_t oid;
  lc_array shape;
} elements;

static void array_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  elements *e = sqlite3_aggregate_context(ctx, sizeof *e);
  if (!e) return;
  e->oid = argc > 1 ? sqlite3_value_int64(argv[1]) : lc_arg(ctx) > 1 ? lc_arg(ctx) : 0;
  if (lc_arg(ctx) != 1) {
    lc_encode_sqlite(&e->buf, argv[0]);
  } else {
    lc_array a;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
      lc_error(ctx, "22004", "cannot accumulate null arrays");
      return;
    }
    if (!lc_array_arg(ctx, argv[0], &a)) return;
    if (a.ndim == 0 && e->n == 0) {
      lc_error(ctx, "2202E", "cannot accumulate empty arrays");
      return;
    }
    if (a.ndim == LC_MAXDIM) {
      lc_error(ctx, "54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", LC_MAXDIM + 1, LC_MAXDIM);
      return;
    }
    if (e->n && (a.ndim != e->shape.ndim || memcmp(a.dim, e->shape.dim, sizeof a.dim) || memcmp(a.lower, e->shape.lower, sizeof a.lower))) {
      lc_error(ctx, "2202E", "cannot accumulate arrays of different dimensionality");
      return;
    }
    e->shape = a;
    lc_buf_add(&e->buf, a.p, a.end - a.p);
  }
  e->n++;
  if (e->buf.oom) sqlite3_result_error_nomem(ctx);
}

static void array_inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  elements *e = sqlite3_aggregate_context(ctx, sizeof *e);
  if (!e || e->n == 0) return;
  lc_value v;
  const uint8_t *p = e->buf.p + e->start, *end = e->buf.p + e->buf.len;
  lc_array a = {.n = 1};
  if (lc_arg(ctx) == 1 && !lc_array_arg(ctx, argv[0], &a)) return;
  for (int64_t i = 0; i < a.n && p; i++) p = lc_decode(p, end, &v);
  if (p) e->start = p - e->buf.p;
  e->n--;
}

static void array_value(sqlite3_context *ctx) {
  elements *e = sqlite3_aggregate_context(ctx, 0);
  if (!e || e->n == 0) return;
  if (e->n > INT32_MAX / 2) {
    sqlite3_result_error_toobig(ctx);
    return;
  }
  lc_array a = {.ndim = 1, .dim = {(int32_t)e->n}, .lower = {1}, .n = e->n, .p = e->buf.p + e->start, .end = e->buf.p + e->buf.len};
  if (lc_arg(ctx) == 1) {
    for (int i = 0; i < e->shape.ndim; i++) {
      a.dim[i + 1] = e->shape.dim[i];
      a.lower[i + 1] = e->shape.lower[i];
    }
    a.ndim = e->shape.ndim + 1;
    a.n = e->n * e->shape.n;
  }
  lc_array_result(ctx, &a, lc_keying_of(e->oid));
}

static void array_final(sqlite3_context *ctx) {
  array_value(ctx);
  elements *e = sqlite3_aggregate_context(ctx, 0);
  if (e) lc_buf_free(&e->buf);
}

// Ordered sets: percentile_cont, percentile_disc, mode. The values are kept with a key that sorts as their type does.
typedef struct ordered {
  lc_buf buf;  // entries: int64 key length, key, value in row encoding
  lc_buf at;   // int64 offset of each entry
  double fraction;
  int fraction_null, descending;
} ordered;

enum { CONT, DISC, MODE };

static void ordered_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  ordered *o = sqlite3_aggregate_context(ctx, sizeof *o);
  if (!o) return;
  int kind = (int)lc_arg(ctx), type = kind == MODE ? 1 : 2;
  if (kind != MODE) {
    o->fraction_null = sqlite3_value_type(argv[1]) == SQLITE_NULL;
    o->fraction = lc_get_float(argv[1]);
    int desc = kind == CONT ? 2 : 3;
    o->descending = argc > desc && sqlite3_value_int64(argv[desc]) != 0;
  }
  lc_keying keying = kind == CONT ? LC_KEY_FLOAT : lc_keying_of(argc > type ? sqlite3_value_int64(argv[type]) : 0);
  lc_value v;
  lc_from_sqlite(argv[0], &v);
  int64_t start = o->buf.len, n = 0;
  lc_buf_add(&o->at, &start, sizeof start);
  lc_buf_add(&o->buf, &n, sizeof n);
  lc_array_key(&o->buf, &v, keying);
  n = o->buf.len - start - (int64_t)sizeof n;
  if (!o->buf.oom) memcpy(o->buf.p + start, &n, sizeof n);
  lc_encode(&o->buf, &v);
  if (o->buf.oom || o->at.oom) sqlite3_result_error_nomem(ctx);
}

static int entry_key(const uint8_t *base, int64_t at, const uint8_t **key) {
  int64_t n;
  memcpy(&n, base + at, sizeof n);
  *key = base + at + sizeof n;
  return (int)n;
}

static int compare_entries(const void *a, const void *b, void *arg) {
  const ordered *o = arg;
  const uint8_t *p, *q;
  int n = entry_key(o->buf.p, *(const int64_t *)a, &p), m = entry_key(o->buf.p, *(const int64_t *)b, &q);
  int c = memcmp(p, q, (size_t)(n < m ? n : m));
  if (c == 0) c = (n > m) - (n < m);
  return o->descending ? -c : c;
}

static lc_value entry_value(const ordered *o, int64_t i) {
  const uint8_t *key;
  int64_t at;
  memcpy(&at, o->at.p + i * (int64_t)sizeof at, sizeof at);
  int n = entry_key(o->buf.p, at, &key);
  lc_value v = {0};
  lc_decode(key + n, o->buf.p + o->buf.len, &v);
  return v;
}

static double as_float(const lc_value *v) { return v->kind == LC_REAL ? v->r : v->kind == LC_INTEGER ? (double)v->i : NAN; }

static void ordered_result(sqlite3_context *ctx, ordered *o) {
  int64_t n = o->at.len / (int64_t)sizeof n;
  int kind = (int)lc_arg(ctx);
  lc_value v;
  if (kind != MODE) {
    if (o->fraction_null) return;
    if (!(o->fraction >= 0 && o->fraction <= 1)) {
      lc_error(ctx, "22003", "percentile value %g is not between 0 and 1", o->fraction);
      return;
    }
  }
  qsort_r(o->at.p, (size_t)n, sizeof n, compare_entries, o);
  if (kind == DISC) {
    int64_t i = (int64_t)ceil(o->fraction * (double)n);
    v = entry_value(o, i < 1 ? 0 : i - 1);
    lc_result(ctx, &v);
  } else if (kind == CONT) {
    double place = o->fraction * (double)(n - 1), low = floor(place), high = ceil(place);
    v = entry_value(o, (int64_t)low);
    double a = as_float(&v);
    if (low != high) {
      v = entry_value(o, (int64_t)high);
      double b = as_float(&v);
      a += (place - low) * (b - a);
    }
    lc_result_float(ctx, a);
  } else {
    int64_t best = 0, best_run = 0;
    for (int64_t i = 0, run = 0; i < n; i++) {
      run = i && compare_entries(o->at.p + (i - 1) * 8, o->at.p + i * 8, o) == 0 ? run + 1 : 1;
      if (run > best_run) best_run = run, best = i - run + 1;
    }
    v = entry_value(o, best);
    lc_result(ctx, &v);
  }
}

static void ordered_final(sqlite3_context *ctx) {
  ordered *o = sqlite3_aggregate_context(ctx, 0);
  if (!o) return;
  if (o->at.len && !o->at.oom && !o->buf.oom) ordered_result(ctx, o);
  lc_buf_free(&o->buf);
  lc_buf_free(&o->at);
}

// min and max under a key: the one value that stands.
typedef struct extreme {
  sqlite3_value *v;
  lc_buf key, next;
} extreme;

static void extreme_step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  extreme *e = sqlite3_aggregate_context(ctx, sizeof *e);
  if (!e) return;
  int arg = (int)lc_arg(ctx), max = arg & 1;
  lc_value v;
  lc_from_sqlite(argv[0], &v);
  e->next.len = 0;
  lc_array_key(&e->next, &v, arg & 2 ? LC_KEY_BAR : LC_KEY_NUMERIC);
  if (e->v) {
    int64_t n = e->key.len < e->next.len ? e->key.len : e->next.len;
    int c = memcmp(e->next.p, e->key.p, (size_t)n);
    if (c == 0) c = (e->next.len > e->key.len) - (e->next.len < e->key.len);
    if (max ? c <= 0 : c >= 0) return;
  }
  sqlite3_value_free(e->v);
  e->v = sqlite3_value_dup(argv[0]);
  lc_buf t = e->key;
  e->key = e->next;
  e->next = t;
  if (!e->v || e->key.oom) sqlite3_result_error_nomem(ctx);
}

static void extreme_final(sqlite3_context *ctx) {
  extreme *e = sqlite3_aggregate_context(ctx, 0);
  if (!e) return;
  if (e->v) sqlite3_result_value(ctx, e->v);
  sqlite3_value_free(e->v);
  lc_buf_free(&e->key);
  lc_buf_free(&e->next);
  e->v = NULL;
}

const lc_agg lc_other_aggregates[] = {
    {"lc_bool_and", 1, 1, bool_step, bool_value, bool_value, bool_inverse, 0},
    {"lc_bool_or", 1, 1, bool_step, bool_value, bool_value, bool_inverse, 1},
    {"lc_bit_and", 1, 1, bit_step, bit_value, bit_value, bit_inverse, '&'},
    {"lc_bit_or", 1, 1, bit_step, bit_value, bit_value, bit_inverse, '|'},
    {"lc_bit_xor", 1, 1, bit_step, bit_value, bit_value, bit_inverse, '^'},
    {"lc_string_agg", 2, 2, string_step, string_final, string_value, string_inverse, 0},
    {"lc_array_agg", 1, 2, array_step, array_final, array_value, array_inverse, 0},
    // For DISTINCT, which SQLite allows with one argument only; the type is in the name.
    {"lc_array_aggn", 1, 1, array_step, array_final, array_value, array_inverse, 1700},
    {"lc_array_aggk", 1, 1, array_step, array_final, array_value, array_inverse, 1186},
    {"lc_array_aggf", 1, 1, array_step, array_final, array_value, array_inverse, 701},
    {"lc_array_agga", 2, 2, array_step, array_final, array_value, array_inverse, 1},
    {"lc_percentile_cont", 2, 3, ordered_step, ordered_final, NULL, NULL, CONT},
    {"lc_percentile_disc", 2, 4, ordered_step, ordered_final, NULL, NULL, DISC},
    {"lc_mode", 1, 2, ordered_step, ordered_final, NULL, NULL, MODE},
    {"lc_minn", 1, 1, extreme_step, extreme_final, NULL, NULL, 0},
    {"lc_maxn", 1, 1, extreme_step, extreme_final, NULL, NULL, 1},
    {"lc_mink", 1, 1, extreme_step, extreme_final, NULL, NULL, 2},
    {"lc_maxk", 1, 1, extreme_step, extreme_final, NULL, NULL, 3},
    LC_END,
};
