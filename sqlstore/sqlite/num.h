// Exact numbers, as PostgreSQL's numeric has them (src/backend/utils/adt/numeric.c): digits to the base 10,000, a
// weight, a sign and a display scale; and the text under which they are stored.
#ifndef LAYERCAKE_NUM_H
#define LAYERCAKE_NUM_H

#include <setjmp.h>

#include "lc.h"

#define NUM_BASE 10000
#define NUM_DIGITS 4             // decimal digits in one
#define NUM_MIN_SIG_DIGITS 16    // what division and the like give at least
#define NUM_MAX_DISPLAY_SCALE 1000
#define NUM_MAX_RESULT_SCALE 2000
#define NUM_DSCALE_MAX 16383
#define NUM_WEIGHT_MAX 32767

typedef enum { NUM_POS, NUM_NEG, NUM_NAN, NUM_PINF, NUM_NINF } num_sign;

// value = sign × Σ d[i] × 10000^(weight−i). No digits: zero. A number does not own its digits.
typedef struct num {
  num_sign sign;
  int nd, weight, dscale;
  int16_t *d;
} num;

// A calculation owns the digits of its numbers; num_end frees them. A failure inside jumps out of it.
typedef struct calc {
  jmp_buf jump;
  sqlite3 *db;
  const char *sqlstate;
  const char *message;
  struct chunk *chunks;
  uint8_t *at, *end;
  uint8_t first[2048] __attribute__((aligned(16)));
} calc;

// CALC_BEGIN(ctx, k) … CALC_END(k) around the body of a SQL function.
#define CALC_BEGIN(ctx, k)     \
  calc k;                      \
  num_begin(&k, sqlite3_context_db_handle(ctx)); \
  if (_setjmp(k.jump)) {       \
    num_report(ctx, &k);       \
    num_end(&k);               \
    return;                    \
  }
#define CALC_END(k) num_end(&k)

// GIVE ends the function with a number.
#define GIVE(expr)             \
  do {                         \
    num r_ = (expr);           \
    num_result(ctx, &k, &r_);  \
    CALC_END(k);               \
    return;                    \
  } while (0)

void num_begin(calc *k, sqlite3 *db);
void num_end(calc *k);
void num_report(sqlite3_context *ctx, calc *k);
void num_fail(calc *k, const char *sqlstate, const char *message) __attribute__((noreturn));
void num_overflow(calc *k) __attribute__((noreturn));
void *num_alloc(calc *k, size_t n);
void num_check_interrupt(calc *k);  // a long calculation asks now and then

// What a loop allocated can be given back: num_release frees what came after num_mark.
typedef struct num_place {
  struct chunk *chunks;
  uint8_t *at, *end;
} num_place;
num_place num_mark(calc *k);
void num_release(calc *k, num_place m);

static inline int num_special(const num *a) { return a->sign >= NUM_NAN; }
static inline int num_is_inf(const num *a) { return a->sign >= NUM_PINF; }
int num_signum(const num *a);  // −1, 0, 1; 1 for NaN

extern const num num_nan, num_pinf, num_ninf, num_zero, num_one;

num num_of_int(calc *k, int64_t i);
num num_of_int128(calc *k, __int128 m, int scale);  // m × 10^−scale, dscale = scale
num num_of_text(calc *k, const char *s, int64_t n);  // PostgreSQL's input syntax
num num_of_double(calc *k, double d, int digits);
double num_to_double(const num *a);  // roughly; ±HUGE_VAL beyond
int num_to_int(calc *k, const num *a, int64_t *out);  // rounds half away from zero; 0: out of range
void num_to_text(lc_buf *b, const num *a);

num num_decode(calc *k, const uint8_t *p, int64_t n);  // stored text
void num_encode(lc_buf *b, const num *a);
num num_arg(calc *k, sqlite3_value *v);  // numeric TEXT, or INTEGER
void num_result(sqlite3_context *ctx, calc *k, const num *a);

int num_cmp(const num *a, const num *b);
num num_add(calc *k, const num *a, const num *b);
num num_sub(calc *k, const num *a, const num *b);
num num_mul(calc *k, const num *a, const num *b);                    // exact
num num_mul_round(calc *k, const num *a, const num *b, int rscale);
num num_div(calc *k, const num *a, const num *b, int rscale, int round);  // b ≠ 0
num num_div_int(calc *k, const num *a, int b, int rscale);          // 0 < b < 2^31; rounds
num num_mod(calc *k, const num *a, const num *b);                    // b ≠ 0
num num_round(calc *k, const num *a, int rscale);
num num_trunc(calc *k, const num *a, int rscale);
int num_div_scale(const num *a, const num *b);
num num_neg(num a);
num num_sqrt(calc *k, const num *a, int rscale);
num num_exp(calc *k, const num *a, int rscale);
num num_ln(calc *k, const num *a, int rscale);
int num_ln_weight(calc *k, const num *a);
int num_integral(const num *a);
num num_strip(num a);  // without zeros at either end

// The operators with their rules for NaN, infinities and scales.
num num_op_add(calc *k, const num *a, const num *b);
num num_op_sub(calc *k, const num *a, const num *b);
num num_op_mul(calc *k, const num *a, const num *b);
num num_op_div(calc *k, const num *a, const num *b);

// A number of at most 18 decimal digits: m × 10^−scale. The fast path of sums and sorting.
typedef struct num_small {
  int64_t m;
  int scale;
} num_small;
int num_small_decode(const uint8_t *p, int64_t n, num_small *out);  // 0: not that small
int num_small_arg(sqlite3_value *v, num_small *out);
void num_small_result(sqlite3_context *ctx, __int128 m, int scale);

extern const int64_t num_pow10[19];

#endif
