#include "arraycodec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

lc_keying lc_keying_of(int64_t oid) {
  switch (oid) {
    case 1700: case 1231:  // numeric
      return LC_KEY_NUMERIC;
    case 1186: case 1187:  // interval
    case 1266: case 1270:  // timetz
      return LC_KEY_BAR;
    case 700: case 701: case 1021: case 1022:  // float4, float8
      return LC_KEY_FLOAT;
    case 3802: case 3807:  // jsonb
      return LC_KEY_JSONB;
    default:
      return LC_KEY_PLAIN;
  }
}

static void put_be(lc_buf *b, uint64_t u) {
  uint8_t x[8];
  for (int i = 0; i < 8; i++) x[i] = (uint8_t)(u >> (56 - 8 * i));
  lc_buf_add(b, x, 8);
}

static void put_float(lc_buf *b, double d) {
  uint64_t u;
  if (d == 0) d = 0;  // −0 equals 0
  memcpy(&u, &d, 8);
  // NaNs are equal, and greater than all else.
  put_be(b, d != d ? (uint64_t)0xfff8 << 48 : u >> 63 ? ~u : u | 0x8000000000000000u);
}

void lc_array_key(lc_buf *b, const lc_value *v, lc_keying k) {
  if (v->kind == LC_NULL) {
    lc_buf_byte(b, 3);
    return;
  }
  lc_buf_byte(b, 2);
  if (v->kind == LC_INTEGER) {
    if (k == LC_KEY_FLOAT)
      put_float(b, (double)v->i);
    else
      put_be(b, (uint64_t)v->i ^ 0x8000000000000000u);
    return;
  }
  if (v->kind == LC_REAL || k == LC_KEY_FLOAT) {
    put_float(b, v->kind == LC_REAL ? v->r : NAN);
    return;
  }
  int64_t n = v->n;
  if (k == LC_KEY_NUMERIC) {
    while (n > 0 && v->p[n - 1] == ' ') n--;
  } else if (k == LC_KEY_BAR) {
    const uint8_t *bar = n ? memchr(v->p, '|', (size_t)n) : NULL;
    if (bar) n = bar - v->p;
  }
  for (const uint8_t *p = v->p, *end = p + n; p < end;) {
    const uint8_t *zero = memchr(p, 0, (size_t)(end - p));
    lc_buf_add(b, p, (zero ? zero : end) - p);
    if (!zero) break;
    lc_buf_add(b, "\x00\xff", 2);
    p = zero + 1;
  }
  lc_buf_add(b, "\x00\x00", 2);
}

static int32_t get4(const uint8_t *p) {
  return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

// An array ends with the length of its keys, which cannot be told from the keys themselves.
int lc_array_decode(const uint8_t *p, int64_t n, lc_array *a) {
  if (!p || n < 6) return 0;
  const uint8_t *end = p + n - 4;
  int64_t keys = (int64_t)(uint32_t)get4(end);
  if (keys >= n - 4) return 0;
  memset(a, 0, sizeof *a);
  a->keys = p;
  a->nkeys = keys;
  p += keys;
  a->ndim = *p++;
  if (a->ndim > LC_MAXDIM || end - p < a->ndim * 8) return 0;
  int64_t count = a->ndim ? 1 : 0;
  for (int i = 0; i < a->ndim; i++, p += 8) {
    a->dim[i] = get4(p);
    a->lower[i] = get4(p + 4);
    // Each element takes at least a byte, which bounds the product too.
    if (a->dim[i] < 1 || a->dim[i] > n || (count *= a->dim[i]) > n) return 0;
    if ((int64_t)a->lower[i] + a->dim[i] - 1 > INT32_MAX) return 0;
  }
  a->n = count;
  a->p = p;
  a->end = end;
  lc_value v;
  for (int64_t i = 0; i < count; i++)
    if (!(p = lc_decode(p, end, &v))) return 0;
  return p == end;
}

static void put_keys(lc_buf *b, const lc_array *a, lc_keying k) {
  lc_value v;
  const uint8_t *p = a->p;
  for (int64_t i = 0; i < a->n && (p = lc_decode(p, a->end, &v)); i++) lc_array_key(b, &v, k);
  if (a->n && !p) b->oom = 1;
  lc_buf_byte(b, 1);
}

static int keyed_so(lc_buf *b, const lc_array *a, lc_keying k) {
  b->len = 0;
  put_keys(b, a, k);
  return !b->oom && b->len == a->nkeys && memcmp(b->p, a->keys, (size_t)b->len) == 0;
}

lc_keying lc_array_keying(const lc_array *a, const lc_array *b) {
  static const lc_keying all[] = {LC_KEY_PLAIN, LC_KEY_NUMERIC, LC_KEY_BAR, LC_KEY_FLOAT};
  lc_buf buf = {0};
  lc_keying found = LC_KEY_PLAIN;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (keyed_so(&buf, a, all[i]) && (!b || keyed_so(&buf, b, all[i]))) {
      found = all[i];
      break;
    }
  lc_buf_free(&buf);
  return found;
}

int lc_array_arg(sqlite3_context *ctx, sqlite3_value *v, lc_array *a) {
  const uint8_t *p = sqlite3_value_blob(v);
  if (lc_array_decode(p, sqlite3_value_bytes(v), a)) return 1;
  lc_error(ctx, "XX001", "malformed array");
  return 0;
}

static void put4(lc_buf *b, int32_t i) {
  uint8_t x[4];
  for (int k = 0; k < 4; k++) x[k] = (uint8_t)((uint32_t)i >> (8 * k));
  lc_buf_add(b, x, 4);
}

void lc_array_encode(lc_buf *b, const lc_array *a, lc_keying k) {
  int64_t start = b->len;
  put_keys(b, a, k);
  int64_t keys = b->len - start;
  lc_buf_byte(b, (uint8_t)a->ndim);
  for (int i = 0; i < a->ndim; i++) {
    put4(b, a->dim[i]);
    put4(b, a->lower[i]);
  }
  lc_buf_add(b, a->p, a->end - a->p);
  put4(b, (int32_t)(uint32_t)keys);
}

void lc_array_result(sqlite3_context *ctx, const lc_array *a, lc_keying k) {
  lc_buf b = {0};
  lc_array_encode(&b, a, k);
  if (b.oom) {
    lc_buf_free(&b);
    sqlite3_result_error_nomem(ctx);
  } else {
    sqlite3_result_blob64(ctx, b.p, (sqlite3_uint64)b.len, free);
  }
}

void lc_vector_result(sqlite3_context *ctx, lc_buf *b, int64_t n, int32_t lower, lc_keying k) {
  lc_array a = {.ndim = n ? 1 : 0, .dim = {(int32_t)n}, .lower = {lower}, .n = n, .p = b->p, .end = b->p + b->len};
  if (b->oom)
    sqlite3_result_error_nomem(ctx);
  else if (n > INT32_MAX / 16)
    sqlite3_result_error_toobig(ctx);
  else
    lc_array_result(ctx, &a, k);
  lc_buf_free(b);
}
