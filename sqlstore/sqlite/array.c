// The functions on arrays (src/backend/utils/adt/array_userfuncs.c, arrayfuncs.c). Where a function makes an array, it is
// told the type of the elements, or of the array, since their keys depend on it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arraycodec.h"

// lc_array(type, v1, …)
static void make(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_buf b = {0};
  if (argc < 1) return;
  for (int i = 1; i < argc; i++) lc_encode_sqlite(&b, argv[i]);
  lc_vector_result(ctx, &b, argc - 1, 1, lc_keying_arg(argv[0]));
}

// lc_array_of(row set of one column, type)
static void make_of(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_is_null(argv[0])) return;
  lc_buf b = {0};
  lc_value v;
  int64_t n = 0;
  (void)argc;
  lc_buf_add(&b, sqlite3_value_blob(argv[0]), sqlite3_value_bytes(argv[0]));
  for (const uint8_t *p = b.p, *end = b.p + b.len; p != end; n++) {
    if (!(p = lc_decode(p, end, &v))) {
      lc_buf_free(&b);
      lc_error(ctx, "XX001", "malformed row set");
      return;
    }
  }
  lc_vector_result(ctx, &b, n, 1, lc_keying_arg(argv[1]));
}

// lc_array_nest(type, a1, …): an array of arrays of one shape.
static void nest(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array shape = {0}, a;
  lc_buf b = {0};
  int n = 0, empty = 0;
  if (argc < 1) return;
  for (int i = 1; i < argc; i++) {
    if (lc_is_null(argv[i])) {
      empty = 1;
      continue;
    }
    if (!lc_array_arg(ctx, argv[i], &a)) {
      lc_buf_free(&b);
      return;
    }
    if (a.ndim == 0) {
      empty = 1;
      continue;
    }
    if (n++ == 0) {
      shape = a;
    } else if (a.ndim != shape.ndim || memcmp(a.dim, shape.dim, sizeof a.dim) || memcmp(a.lower, shape.lower, sizeof a.lower)) {
      empty = 1;
      break;
    }
    lc_buf_add(&b, a.p, a.end - a.p);
  }
  if (n && empty) {
    lc_error(ctx, "2202E", "multidimensional arrays must have array expressions with matching dimensions");
  } else if (n && shape.ndim == LC_MAXDIM) {
    lc_error(ctx, "54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", LC_MAXDIM + 1, LC_MAXDIM);
  } else {
    a = (lc_array){0};
    if (n) {
      a.ndim = shape.ndim + 1;
      a.dim[0] = n;
      a.lower[0] = 1;
      memcpy(a.dim + 1, shape.dim, sizeof *a.dim * (size_t)shape.ndim);
      memcpy(a.lower + 1, shape.lower, sizeof *a.lower * (size_t)shape.ndim);
      a.n = n * shape.n;
      a.p = b.p;
      a.end = b.p + b.len;
    }
    if (b.oom)
      sqlite3_result_error_nomem(ctx);
    else
      lc_array_result(ctx, &a, lc_keying_arg(argv[0]));
  }
  lc_buf_free(&b);
}

static lc_value element(const lc_array *a, int64_t i) {
  lc_value v = {0};
  const uint8_t *p = a->p;
  for (; p && i >= 0; i--) p = lc_decode(p, a->end, &v);
  return v;
}

// lc_array_get(array, i, …)
static void get(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a;
  if (argc < 2 || lc_null(argc, argv) || !lc_array_arg(ctx, argv[0], &a) || a.ndim != argc - 1) return;
  int64_t at = 0;
  for (int i = 0; i < a.ndim; i++) {
    int64_t s = lc_int4(argv[i + 1]);
    if (s < a.lower[i] || s >= (int64_t)a.lower[i] + a.dim[i]) return;
    at = at * a.dim[i] + (s - a.lower[i]);
  }
  lc_value v = element(&a, at);
  lc_result(ctx, &v);
}

// slice makes of a the part within from…to of each dimension; the result counts from 1.
static void slice(sqlite3_context *ctx, const lc_array *a, const int64_t *from, const int64_t *to, lc_keying k) {
  lc_array r = {.ndim = a->ndim, .n = 1};
  int64_t skip[LC_MAXDIM], at[LC_MAXDIM] = {0};
  for (int i = 0; i < a->ndim; i++) {
    int64_t lo = from[i] < a->lower[i] ? a->lower[i] : from[i], hi = (int64_t)a->lower[i] + a->dim[i] - 1;
    if (to[i] < hi) hi = to[i];
    if (lo > hi) {
      r = (lc_array){0};
      break;
    }
    skip[i] = lo - a->lower[i];
    r.dim[i] = (int32_t)(hi - lo + 1);
    r.lower[i] = 1;
    r.n *= r.dim[i];
  }
  if (r.ndim == 0) r.n = 0;
  lc_buf b = {0};
  const uint8_t *p = a->p;
  for (int64_t i = 0; r.n && i < a->n; i++) {
    lc_value v;
    const uint8_t *q = lc_decode(p, a->end, &v);
    int in = 1;
    for (int d = 0; d < a->ndim; d++) in &= at[d] >= skip[d] && at[d] < skip[d] + r.dim[d];
    if (in) lc_buf_add(&b, p, q - p);
    p = q;
    for (int d = a->ndim - 1; d >= 0 && ++at[d] == a->dim[d]; d--) at[d] = 0;
  }
  r.p = b.p;
  r.end = b.p + b.len;
  if (b.oom)
    sqlite3_result_error_nomem(ctx);
  else
    lc_array_result(ctx, &r, k);
  lc_buf_free(&b);
}

// lc_array_slice(array, type, from1, to1, …): NULL leaves a bound out.
static void slice_of(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a;
  int64_t from[LC_MAXDIM], to[LC_MAXDIM];
  if (argc < 4 || lc_is_null(argv[0]) || !lc_array_arg(ctx, argv[0], &a)) return;
  int n = (argc - 2) / 2;
  if (n > a.ndim) a = (lc_array){0};
  for (int i = 0; i < a.ndim; i++) {
    sqlite3_value *lo = i < n ? argv[2 + 2 * i] : NULL, *hi = i < n ? argv[3 + 2 * i] : NULL;
    from[i] = lo && !lc_is_null(lo) ? lc_int4(lo) : a.lower[i];
    to[i] = hi && !lc_is_null(hi) ? lc_int4(hi) : (int64_t)a.lower[i] + a.dim[i] - 1;
  }
  slice(ctx, &a, from, to, lc_keying_arg(argv[1]));
}

static void trim(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a;
  int64_t from[LC_MAXDIM], to[LC_MAXDIM];
  if (lc_null(2, argv) || !lc_array_arg(ctx, argv[0], &a)) return;
  int64_t n = lc_int4(argv[1]), have = a.ndim ? a.dim[0] : 0;
  if (n < 0 || n > have) {
    lc_error(ctx, "2202E", "number of elements to trim must be between 0 and %d", (int)have);
    return;
  }
  for (int i = 0; i < a.ndim; i++) {
    from[i] = a.lower[i];
    to[i] = (int64_t)a.lower[i] + a.dim[i] - 1 - (i == 0 ? n : 0);
  }
  slice(ctx, &a, from, to, argc > 2 ? lc_keying_arg(argv[2]) : lc_array_keying(&a, NULL));
}

// lc_array_set(array, v, type, i, …): what UPDATE … SET a[i] = v makes of the array.
static void set(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a = {0};
  if (argc < 4) return;
  int n = argc - 3;
  if (!lc_is_null(argv[0]) && !lc_array_arg(ctx, argv[0], &a)) return;
  for (int i = 0; i < n; i++)
    if (lc_is_null(argv[3 + i])) {
      lc_error(ctx, "22004", "array subscript in assignment must not be null");
      return;
    }
  if (n > LC_MAXDIM) {
    lc_error(ctx, "54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", n, LC_MAXDIM);
    return;
  }
  if (a.ndim == 0) {
    a.ndim = n;
    for (int i = 0; i < n; i++) a.lower[i] = (int32_t)lc_int4(argv[3 + i]);
    // of length 0 so far in the first dimension
    for (int i = 1; i < n; i++) a.dim[i] = 1;
  }
  if (a.ndim != n) {
    lc_error(ctx, "2202E", "wrong number of array subscripts");
    return;
  }
  int64_t at = 0, before = 0, after = 0;
  for (int i = 0; i < n; i++) {
    int64_t s = lc_int4(argv[3 + i]) - a.lower[i];
    if (n == 1) {
      if (s < 0) before = -s, s = 0;
      if (s >= a.dim[0] + before) after = s - (a.dim[0] + before) + 1;
      if (before + after + a.dim[0] > LC_MAXITEMS) {
        lc_error(ctx, "54000", "array size exceeds the maximum allowed (%d)", LC_MAXITEMS);
        return;
      }
    } else if (s < 0 || (s >= a.dim[i] && (i > 0 || a.n))) {
      lc_error(ctx, "2202E", "array subscript out of range");
      return;
    }
    at = i == 0 ? s : at * a.dim[i] + s;
  }
  if (n > 1 && a.n == 0) after = 1;
  lc_buf b = {0};
  const uint8_t *p = a.p;
  int64_t total = before + a.n + after;
  for (int64_t i = 0; i < total; i++) {
    const uint8_t *q = p;
    lc_value v;
    int old = i >= before && i < before + a.n;
    if (old) q = lc_decode(p, a.end, &v);
    if (i == at)
      lc_encode_sqlite(&b, argv[1]);
    else if (old)
      lc_buf_add(&b, p, q - p);
    else
      lc_buf_byte(&b, LC_NULL);
    p = q;
  }
  a.dim[0] += (int32_t)(before + after);
  a.lower[0] -= (int32_t)before;
  a.n = total;
  a.p = b.p;
  a.end = b.p + b.len;
  if (b.oom)
    sqlite3_result_error_nomem(ctx);
  else
    lc_array_result(ctx, &a, lc_keying_arg(argv[2]));
  lc_buf_free(&b);
}

enum { LENGTH, LOWER, UPPER, NDIMS, CARDINALITY };

static void measure(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a;
  if (lc_null(argc, argv) || !lc_array_arg(ctx, argv[0], &a)) return;
  int what = (int)lc_arg(ctx);
  if (what == CARDINALITY) {
    sqlite3_result_int64(ctx, a.n);
  } else if (what == NDIMS) {
    if (a.ndim) sqlite3_result_int64(ctx, a.ndim);
  } else {
    int64_t d = lc_int4(argv[1]) - 1;
    if (d < 0 || d >= a.ndim) return;
    int64_t lo = a.lower[d], n = a.dim[d];
    sqlite3_result_int64(ctx, what == LENGTH ? n : what == LOWER ? lo : lo + n - 1);
  }
}

static void dims(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a;
  char s[LC_MAXDIM * 32];
  int n = 0;
  if (lc_null(argc, argv) || !lc_array_arg(ctx, argv[0], &a) || a.ndim == 0) return;
  for (int i = 0; i < a.ndim; i++)
    n += snprintf(s + n, sizeof s - (size_t)n, "[%d:%d]", a.lower[i], a.lower[i] + a.dim[i] - 1);
  sqlite3_result_text64(ctx, s, (sqlite3_uint64)n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// add puts a value at the end (append) or the front (prepend) of an array of one dimension.
static void add(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int front = (int)lc_arg(ctx);
  lc_array a = {0};
  lc_buf b = {0};
  sqlite3_value *array = argv[front ? 1 : 0], *v = argv[front ? 0 : 1];
  if (!lc_is_null(array) && !lc_array_arg(ctx, array, &a)) return;
  if (a.ndim > 1) {
    lc_error(ctx, "22000", "argument must be empty or one-dimensional array");
    return;
  }
  if (front) lc_encode_sqlite(&b, v);
  lc_buf_add(&b, a.p, a.end - a.p);
  if (!front) lc_encode_sqlite(&b, v);
  lc_vector_result(ctx, &b, a.n + 1, a.ndim ? a.lower[0] : 1, argc > 2 ? lc_keying_arg(argv[2]) : lc_array_keying(&a, NULL));
}

static void cat(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array x, y, r;
  if (lc_is_null(argv[0]) || lc_is_null(argv[1])) {
    sqlite3_result_value(ctx, argv[lc_is_null(argv[0]) ? 1 : 0]);
    return;
  }
  if (!lc_array_arg(ctx, argv[0], &x) || !lc_array_arg(ctx, argv[1], &y)) return;
  if (x.ndim == 0 || y.ndim == 0) {
    sqlite3_result_value(ctx, argv[x.ndim == 0 ? 1 : 0]);
    return;
  }
  if (x.ndim != y.ndim && x.ndim != y.ndim - 1 && y.ndim != x.ndim - 1) {
    lc_error(ctx, "2202E", "cannot concatenate incompatible arrays\x01" "Arrays of %d and %d dimensions are not compatible for concatenation.", x.ndim, y.ndim);
    return;
  }
  const char *detail = "Arrays with differing dimensions are not compatible for concatenation.";
  int xi = 0, yi = 0, inner;  // where the dimensions that must agree begin
  r = y.ndim > x.ndim ? y : x;
  if (x.ndim == y.ndim) {
    detail = "Arrays with differing element dimensions are not compatible for concatenation.";
    r.dim[0] = x.dim[0] + y.dim[0];
    xi = yi = 1;
    inner = x.ndim - 1;
  } else if (x.ndim < y.ndim) {
    r.dim[0]++;
    yi = 1;
    inner = x.ndim;
  } else {
    r.dim[0]++;
    xi = 1;
    inner = y.ndim;
  }
  size_t width = sizeof *x.dim * (size_t)inner;
  if (memcmp(x.dim + xi, y.dim + yi, width) || memcmp(x.lower + xi, y.lower + yi, width)) {
    lc_error(ctx, "2202E", "cannot concatenate incompatible arrays\x01%s", detail);
    return;
  }
  lc_buf b = {0};
  lc_buf_add(&b, x.p, x.end - x.p);
  lc_buf_add(&b, y.p, y.end - y.p);
  r.n = x.n + y.n;
  r.p = b.p;
  r.end = b.p + b.len;
  if (b.oom)
    sqlite3_result_error_nomem(ctx);
  else
    lc_array_result(ctx, &r, argc > 2 ? lc_keying_arg(argv[2]) : lc_array_keying(&x, &y));
  lc_buf_free(&b);
}

// bounds reads the int4[] arguments of array_fill.
static int bounds(sqlite3_context *ctx, sqlite3_value *v, const char *what, int64_t *out) {
  lc_array a;
  lc_value w;
  if (!lc_array_arg(ctx, v, &a)) return -1;
  if (a.ndim > 1) {
    lc_error(ctx, "2202E", "wrong number of array subscripts\x01%s must be one dimensional.", what);
    return -1;
  }
  if (a.n > LC_MAXDIM) {
    lc_error(ctx, "54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", (int)a.n, LC_MAXDIM);
    return -1;
  }
  int n = 0;
  for (const uint8_t *at = a.p; at != a.end; n++) {
    at = lc_decode(at, a.end, &w);
    if (w.kind != LC_INTEGER) {
      lc_error(ctx, "22004", "dimension values cannot be null");
      return -1;
    }
    out[n] = w.i;
  }
  return n;
}

// lc_array_fill(v, type, dims, lower bounds or NULL)
static void fill(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  int64_t dim[LC_MAXDIM], lower[LC_MAXDIM];
  lc_array a = {.n = 1};
  if (lc_is_null(argv[2])) {
    lc_error(ctx, "22004", "dimension array or low bound array cannot be null");
    return;
  }
  int n = bounds(ctx, argv[2], "Dimension array", dim);
  if (n < 0) return;
  for (int i = 0; i < n; i++) lower[i] = 1;
  if (argc > 3 && !lc_is_null(argv[3])) {
    int m = bounds(ctx, argv[3], "Low bound array", lower);
    if (m < 0) return;
    if (m != n) {
      lc_error(ctx, "2202E", "wrong number of array subscripts\x01Low bound array has different size than dimensions array.");
      return;
    }
  }
  lc_buf one = {0}, all = {0};
  lc_encode_sqlite(&one, argv[0]);
  for (int i = 0; i < n; i++) {
    if (dim[i] < 0 || dim[i] > LC_MAXITEMS || (a.n *= dim[i]) > LC_MAXITEMS || a.n * (one.len + 10) > 1000000000) {
      // PostgreSQL's words and its number where the size is one that no array has
      lc_error(ctx, "54000", "array size exceeds the maximum allowed (%d)", dim[i] < 0 || dim[i] > 134217727 ? 134217727 : LC_MAXITEMS);
      lc_buf_free(&one);
      return;
    }
    if (lower[i] + dim[i] - 1 > INT32_MAX) {
      lc_error(ctx, "22003", "array lower bound is too large: %d", (int)lower[i]);
      lc_buf_free(&one);
      return;
    }
    a.dim[i] = (int32_t)dim[i];
    a.lower[i] = (int32_t)lower[i];
  }
  a.ndim = n;
  if (n == 0 || a.n == 0) a = (lc_array){0};
  for (int64_t i = 0; i < a.n; i++) lc_buf_add(&all, one.p, one.len);
  a.p = all.p;
  a.end = all.p + all.len;
  if (one.oom || all.oom)
    sqlite3_result_error_nomem(ctx);
  else
    lc_array_result(ctx, &a, lc_keying_arg(argv[1]));
  lc_buf_free(&one);
  lc_buf_free(&all);
}

static void items(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  lc_array a;
  if (lc_null(argc, argv) || !lc_array_arg(ctx, argv[0], &a)) return;
  sqlite3_result_blob64(ctx, a.n ? (const void *)a.p : "", (sqlite3_uint64)(a.end - a.p), SQLITE_TRANSIENT);
}

// lc_array_join(array of text, delimiter) leaves NULLs out, as string_agg does. lc_pack_join takes a row set.
static void join(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  if (lc_is_null(argv[0])) return;
  const uint8_t *at, *end;
  lc_array a;
  if (lc_arg(ctx)) {
    at = sqlite3_value_blob(argv[0]);
    end = at + sqlite3_value_bytes(argv[0]);
  } else {
    if (!lc_array_arg(ctx, argv[0], &a)) return;
    at = a.p;
    end = a.end;
  }
  const void *d = sqlite3_value_blob(argv[1]);
  int64_t dn = d ? sqlite3_value_bytes(argv[1]) : 0, n = 0;
  int blob = 0;
  lc_buf b = {0};
  lc_value v;
  while (at != end) {
    if (!(at = lc_decode(at, end, &v))) {
      lc_error(ctx, "XX001", "malformed row set");
      lc_buf_free(&b);
      return;
    }
    if (v.kind != LC_TEXT && v.kind != LC_BLOB) continue;
    blob = v.kind == LC_BLOB;
    if (n++) lc_buf_add(&b, d, dn);
    lc_buf_add(&b, v.p, v.n);
  }
  if (b.oom)
    sqlite3_result_error_nomem(ctx);
  else if (n && blob)
    sqlite3_result_blob64(ctx, b.len ? (void *)b.p : "", (sqlite3_uint64)b.len, SQLITE_TRANSIENT);
  else if (n)
    sqlite3_result_text64(ctx, b.len ? (char *)b.p : "", (sqlite3_uint64)b.len, SQLITE_TRANSIENT, SQLITE_UTF8);
  lc_buf_free(&b);
}

const lc_def lc_array_functions[] = {
    {"lc_array", -1, -1, make, 0, 0},
    {"lc_array_of", 2, 2, make_of, 0, 0},
    {"lc_array_nest", -1, -1, nest, 0, 0},
    {"lc_array_get", -1, -1, get, 0, 0},
    {"lc_array_slice", -1, -1, slice_of, 0, 0},
    {"lc_array_set", -1, -1, set, 0, 0},
    {"lc_trim_array", 2, 3, trim, 0, 0},
    {"lc_array_length", 2, 2, measure, LENGTH, 0},
    {"lc_array_lower", 2, 2, measure, LOWER, 0},
    {"lc_array_upper", 2, 2, measure, UPPER, 0},
    {"lc_array_ndims", 1, 1, measure, NDIMS, 0},
    {"lc_cardinality", 1, 1, measure, CARDINALITY, 0},
    {"lc_array_dims", 1, 1, dims, 0, 0},
    {"lc_array_append", 2, 3, add, 0, 0},
    {"lc_array_prepend", 2, 3, add, 1, 0},
    {"lc_array_cat", 2, 3, cat, 0, 0},
    {"lc_array_fill", 3, 4, fill, 0, 0},
    {"lc_array_items", 1, 1, items, 0, 0},
    {"lc_array_join", 2, 2, join, 0, 0},
    {"lc_pack_join", 2, 2, join, 1, 0},
    LC_END,
};
