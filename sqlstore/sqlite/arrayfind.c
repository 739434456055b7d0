// The functions that look for elements of an array. Elements are compared by their keys.
#include <string.h>

#include "arraycodec.h"

// A probe compares values of one type by their keys.
typedef struct probe {
  lc_buf key, other;
  lc_keying k;
  lc_value text;  // of a jsonb
} probe;

static void probe_value(probe *p, const lc_value *v, lc_keying k) {
  p->k = k;
  p->text = v->kind == LC_TEXT ? *v : (lc_value){0};
  p->key.len = 0;
  lc_array_key(&p->key, v, k);
}

static int probe_equal(probe *p, const lc_value *v) {
  p->other.len = 0;
  lc_array_key(&p->other, v, p->k);
  if (p->k == LC_KEY_JSONB && p->text.p && v->kind == LC_TEXT)
    return lc_jsonb_collation(NULL, (int)p->text.n, p->text.p, (int)v->n, v->p) == 0;
  return !p->key.oom && !p->other.oom && p->key.len == p->other.len && memcmp(p->key.p, p->other.p, (size_t)p->key.len) == 0;
}

static void probe_free(probe *p) {
  lc_buf_free(&p->key);
  lc_buf_free(&p->other);
}

// lc_array_remove(array, v, type), lc_array_replace(array, from, to, type)
static void replace(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int removes = (int)lc_arg(ctx);
  lc_array a;
  if (lc_is_null(argv[0]) || !lc_array_arg(ctx, argv[0], &a)) return;
  if (removes && a.ndim > 1) {
    lc_error(ctx, "0A000", "removing elements from multidimensional arrays is not supported");
    return;
  }
  lc_keying k = lc_keying_arg(argv[argc - 1]);
  lc_value old, v;
  probe p = {0};
  lc_buf b = {0};
  lc_from_sqlite(argv[1], &old);
  probe_value(&p, &old, k);
  int64_t n = 0;
  for (const uint8_t *at = a.p, *next; n >= 0 && at != a.end; at = next) {
    next = lc_decode(at, a.end, &v);
    if (!probe_equal(&p, &v)) {
      lc_buf_add(&b, at, next - at);
    } else if (removes) {
      continue;
    } else {
      lc_encode_sqlite(&b, argv[2]);
    }
    n++;
  }
  probe_free(&p);
  a.p = b.p;
  a.end = b.p + b.len;
  if (removes) {
    a.n = n;
    a.dim[0] = (int32_t)n;
    if (n == 0) a.ndim = 0;
  }
  if (b.oom)
    sqlite3_result_error_nomem(ctx);
  else
    lc_array_result(ctx, &a, k);
  lc_buf_free(&b);
}

// lc_array_position(array, v, type[, start]), lc_array_positions(array, v, type)
static void position(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int all = (int)lc_arg(ctx);
  lc_array a;
  if (lc_is_null(argv[0])) return;
  if (argc > 3 && lc_is_null(argv[3])) {
    lc_error(ctx, "22004", "initial position must not be null");
    return;
  }
  if (!lc_array_arg(ctx, argv[0], &a)) return;
  if (a.ndim > 1) {
    lc_error(ctx, "0A000", "searching for elements in multidimensional arrays is not supported");
    return;
  }
  int64_t start = argc > 3 ? lc_int4(argv[3]) : INT32_MIN, found = 0, i = a.lower[0];
  lc_value want, v;
  probe p = {0};
  lc_buf b = {0};
  lc_from_sqlite(argv[1], &want);
  probe_value(&p, &want, lc_keying_arg(argv[2]));
  for (const uint8_t *at = a.p; a.n && at != a.end; i++) {
    at = lc_decode(at, a.end, &v);
    if (i < start || !probe_equal(&p, &v)) continue;
    found++;
    if (!all) break;
    v = (lc_value){.kind = LC_INTEGER, .i = i};
    lc_encode(&b, &v);
  }
  probe_free(&p);
  if (all)
    lc_vector_result(ctx, &b, found, 1, LC_KEY_PLAIN);
  else if (found)
    sqlite3_result_int64(ctx, i);
}

// has says whether the array has a value equal to v; *null whether it has a NULL.
static int has(const lc_array *a, probe *p, const lc_value *v, lc_keying k, int *null) {
  lc_value w;
  probe_value(p, v, k);
  for (const uint8_t *at = a->p; at != a->end;) {
    at = lc_decode(at, a->end, &w);
    if (w.kind == LC_NULL)
      *null = 1;
    else if (probe_equal(p, &w))
      return 1;
  }
  return 0;
}

// lc_array_contains(a, b[, type]): a @> b. lc_array_overlap: a && b.
static void compare_sets(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int overlap = (int)lc_arg(ctx), null = 0, result = !overlap;
  lc_array a, b;
  if (lc_null(2, argv) || !lc_array_arg(ctx, argv[0], &a) || !lc_array_arg(ctx, argv[1], &b)) return;
  lc_keying k = argc > 2 ? lc_keying_arg(argv[2]) : lc_array_keying(&a, &b);
  probe p = {0};
  lc_value v;
  for (const uint8_t *at = b.p; at != b.end;) {
    at = lc_decode(at, b.end, &v);
    int found = v.kind != LC_NULL && has(&a, &p, &v, k, &null);
    if (found == overlap) {
      result = overlap;
      break;
    }
  }
  probe_free(&p);
  sqlite3_result_int64(ctx, result);
}

// lc_array_any(array, v, type): v = ANY(array). lc_array_all: v = ALL(array).
static void any_or_all(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  int all = (int)lc_arg(ctx), null = 0, result = all;
  lc_array a;
  if (lc_is_null(argv[0]) || !lc_array_arg(ctx, argv[0], &a)) return;
  lc_value v, w;
  lc_from_sqlite(argv[1], &v);
  probe p = {0};
  if (a.n == 0) {
    sqlite3_result_int64(ctx, all);
    return;
  }
  if (v.kind == LC_NULL) return;
  probe_value(&p, &v, lc_keying_arg(argv[2]));
  for (const uint8_t *at = a.p; at != a.end && result == all;) {
    at = lc_decode(at, a.end, &w);
    if (w.kind == LC_NULL)
      null = 1;
    else if (probe_equal(&p, &w) != all)
      result = !all;
  }
  probe_free(&p);
  if (result == all && null) return;
  sqlite3_result_int64(ctx, result);
}

const lc_def lc_array_searches[] = {
    {"lc_array_remove", 3, 3, replace, 1, 0},
    {"lc_array_replace", 4, 4, replace, 0, 0},
    {"lc_array_position", 3, 4, position, 0, 0},
    {"lc_array_positions", 3, 3, position, 1, 0},
    {"lc_array_contains", 2, 3, compare_sets, 0, 0},
    {"lc_array_overlap", 2, 3, compare_sets, 1, 0},
    {"lc_array_any", 3, 3, any_or_all, 0, 0},
    {"lc_array_all", 3, 3, any_or_all, 1, 0},
    LC_END,
};
