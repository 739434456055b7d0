// Buffers and the row encoding.
#include "lc.h"

#include <stdlib.h>
#include <string.h>

// Nothing that SQLite takes or gives is longer than its own limit on a value; twice that holds a row of two.
#define LC_BUF_MAX ((int64_t)1 << 33)

int lc_buf_reserve(lc_buf *b, int64_t more) {
  if (b->oom || more < 0 || more > LC_BUF_MAX - b->len) {
    b->oom = 1;
    return 0;
  }
  if (b->len + more > b->cap) {
    int64_t cap = b->cap ? b->cap : 256;
    while (cap < b->len + more) cap *= 2;
    uint8_t *p = realloc(b->p, (size_t)cap);
    if (!p) {
      b->oom = 1;
      return 0;
    }
    b->p = p;
    b->cap = cap;
  }
  return 1;
}

void lc_buf_add(lc_buf *b, const void *p, int64_t n) {
  if (n <= 0 || !lc_buf_reserve(b, n)) return;
  memcpy(b->p + b->len, p, (size_t)n);
  b->len += n;
}

void lc_buf_byte(lc_buf *b, uint8_t c) {
  if (!lc_buf_reserve(b, 1)) return;
  b->p[b->len++] = c;
}

void lc_buf_free(lc_buf *b) {
  free(b->p);
  memset(b, 0, sizeof *b);
}

static void put8(uint8_t *p, uint64_t u) {
  for (int i = 0; i < 8; i++) p[i] = (uint8_t)(u >> (8 * i));
}

static uint64_t get8(const uint8_t *p) {
  uint64_t u = 0;
  for (int i = 7; i >= 0; i--) u = u << 8 | p[i];
  return u;
}

const uint8_t *lc_decode(const uint8_t *p, const uint8_t *end, lc_value *v) {
  if (p == NULL || p >= end) return NULL;
  v->kind = *p++;
  v->p = NULL;
  v->n = 0;
  switch (v->kind) {
    case LC_NULL:
      return p;
    case LC_INTEGER:
      if (end - p < 8) return NULL;
      v->i = (int64_t)get8(p);
      return p + 8;
    case LC_REAL: {
      if (end - p < 8) return NULL;
      uint64_t u = get8(p);
      memcpy(&v->r, &u, 8);
      if (v->r != v->r) {  // SQLite would make it NULL
        v->kind = LC_TEXT;
        v->p = (const uint8_t *)"NaN";
        v->n = 3;
      }
      return p + 8;
    }
    case LC_TEXT:
    case LC_BLOB: {
      if (end - p < 4) return NULL;
      int64_t n = (int64_t)p[0] | (int64_t)p[1] << 8 | (int64_t)p[2] << 16 | (int64_t)p[3] << 24;
      p += 4;
      if (end - p < n) return NULL;
      v->p = p;
      v->n = n;
      return p + n;
    }
  }
  return NULL;
}

void lc_encode(lc_buf *b, const lc_value *v) {
  uint64_t u;
  switch (v->kind) {
    case LC_INTEGER:
    case LC_REAL:
      if (!lc_buf_reserve(b, 9)) return;
      if (v->kind == LC_INTEGER)
        u = (uint64_t)v->i;
      else
        memcpy(&u, &v->r, 8);
      b->p[b->len] = (uint8_t)v->kind;
      put8(b->p + b->len + 1, u);
      b->len += 9;
      return;
    case LC_TEXT:
    case LC_BLOB:
      if (!lc_buf_reserve(b, 5 + v->n)) return;
      b->p[b->len] = (uint8_t)v->kind;
      for (int i = 0; i < 4; i++) b->p[b->len + 1 + i] = (uint8_t)((uint64_t)v->n >> (8 * i));
      if (v->n) memcpy(b->p + b->len + 5, v->p, (size_t)v->n);
      b->len += 5 + v->n;
      return;
    default:
      lc_buf_byte(b, LC_NULL);
  }
}

void lc_from_sqlite(sqlite3_value *sv, lc_value *v) {
  v->p = NULL;
  v->n = 0;
  switch (sqlite3_value_type(sv)) {
    case SQLITE_INTEGER:
      v->kind = LC_INTEGER;
      v->i = sqlite3_value_int64(sv);
      return;
    case SQLITE_FLOAT:
      v->kind = LC_REAL;
      v->r = sqlite3_value_double(sv);
      return;
    case SQLITE_TEXT:
      // blob, not text: SQLite need not terminate the string then.
      v->kind = LC_TEXT;
      v->p = sqlite3_value_blob(sv);
      v->n = sqlite3_value_bytes(sv);
      return;
    case SQLITE_BLOB:
      v->kind = LC_BLOB;
      v->p = sqlite3_value_blob(sv);
      v->n = sqlite3_value_bytes(sv);
      return;
    default:
      v->kind = LC_NULL;
  }
}

void lc_encode_sqlite(lc_buf *b, sqlite3_value *sv) {
  lc_value v;
  lc_from_sqlite(sv, &v);
  if (v.n && !v.p) {
    b->oom = 1;
    return;
  }
  lc_encode(b, &v);
}

void lc_result(sqlite3_context *ctx, const lc_value *v) {
  switch (v->kind) {
    case LC_INTEGER:
      sqlite3_result_int64(ctx, v->i);
      return;
    case LC_REAL:
      if (v->r != v->r)
        sqlite3_result_text64(ctx, "NaN", 3, SQLITE_STATIC, SQLITE_UTF8);
      else
        sqlite3_result_double(ctx, v->r);
      return;
    case LC_TEXT:
      sqlite3_result_text64(ctx, v->n ? (const char *)v->p : "", (sqlite3_uint64)v->n, SQLITE_TRANSIENT, SQLITE_UTF8);
      return;
    case LC_BLOB:
      sqlite3_result_blob64(ctx, v->n ? (const void *)v->p : "", (sqlite3_uint64)v->n, SQLITE_TRANSIENT);
      return;
    default:
      sqlite3_result_null(ctx);
  }
}
