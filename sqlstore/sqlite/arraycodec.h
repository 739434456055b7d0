// Arrays in their stored form (catalog/array.go): keys that sort as PostgreSQL sorts the array, the dimensions, the
// elements, the length of the keys.
#ifndef LAYERCAKE_ARRAYCODEC_H
#define LAYERCAKE_ARRAYCODEC_H

#include "lc.h"

#define LC_MAXDIM 6
#define LC_MAXITEMS 16777216  // that filling in or extending may make; PostgreSQL allows 134217727

typedef struct lc_array {
  int ndim;
  int32_t dim[LC_MAXDIM], lower[LC_MAXDIM];
  int64_t n;              // elements
  const uint8_t *p, *end; // their row encoding
  const uint8_t *keys;    // of a decoded array
  int64_t nkeys;
} lc_array;

// lc_array_decode reads a stored array; 0 when the bytes are not one.
int lc_array_decode(const uint8_t *p, int64_t n, lc_array *a);

// lc_array_arg reads an argument that holds an array, and raises an error when it does not.
int lc_array_arg(sqlite3_context *ctx, sqlite3_value *v, lc_array *a);

// How the elements of a type are keyed. jsonb is kept as LC_KEY_PLAIN does, but compared by LCJSON (lc_jsonb_array_key).
typedef enum { LC_KEY_PLAIN, LC_KEY_NUMERIC, LC_KEY_BAR, LC_KEY_FLOAT, LC_KEY_JSONB } lc_keying;
lc_keying lc_keying_of(int64_t oid);

// lc_array_keying guesses for a decoded array whose type is not known: a keying that gives its keys, and those of b
// (which may be NULL).
lc_keying lc_array_keying(const lc_array *a, const lc_array *b);
void lc_array_key(lc_buf *b, const lc_value *v, lc_keying k);

// lc_array_encode appends the stored form of the array a.
void lc_array_encode(lc_buf *b, const lc_array *a, lc_keying k);

// lc_array_result makes the array a the result of the call.
void lc_array_result(sqlite3_context *ctx, const lc_array *a, lc_keying k);

// lc_vector_result makes the n encoded values in b a one-dimensional array, the result of the call, and frees b.
void lc_vector_result(sqlite3_context *ctx, lc_buf *b, int64_t n, int32_t lower, lc_keying k);

static inline int lc_is_null(sqlite3_value *v) { return sqlite3_value_type(v) == SQLITE_NULL; }
static inline lc_keying lc_keying_arg(sqlite3_value *v) { return lc_keying_of(lc_int4(v)); }

#endif
