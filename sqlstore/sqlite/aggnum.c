// Sums, averages and variances of integers and numerics. Sums are exact, so that a window frame can take rows back.
#include <stdlib.h>
#include <string.h>

#include "num.h"

// SQLite aligns an aggregate's memory to 8 bytes only.
typedef __int128 int128 __attribute__((aligned(8)));

// An exact sum: in 128 bits while that is enough, then as a number of any size.
typedef struct total {
  int128 v;
  int scale;  // v × 10^−scale
  int big;
  num n;  // if big; its digits are in heap
  int16_t *heap;
  int cap;
} total;

#define SMALL_SCALES 19

typedef struct state {
  int64_t n, nan, pinf, ninf;  // n counts them all
  total x, xx;
  // How many of the rows have which display scale: the result shows the greatest.
  int64_t scales[SMALL_SCALES];
  int64_t *more;
  int nmore;
} state;

static int shift(int128 *v, int places) {
  while (places > 0) {
    int p = places > 18 ? 18 : places;
    if (__builtin_mul_overflow(*v, (__int128)num_pow10[p], v)) return 0;
    places -= p;
  }
  return 1;
}

// total_small adds m × 10^−scale if the sum stays small.
static int total_small(total *t, __int128 m, int scale) {
  if (t->big) return 0;
  int128 v = t->v, w = m;
  int s = t->scale;
  if (scale > s) {
    if (!shift(&v, scale - s)) return 0;
    s = scale;
  } else if (!shift(&w, s - scale)) {
    return 0;
  }
  if (__builtin_add_overflow(v, w, &v)) return 0;
  t->v = v;
  t->scale = s;
  return 1;
}

static num total_num(calc *k, const total *t) { return t->big ? t->n : num_of_int128(k, t->v, t->scale); }

static void total_big(calc *k, total *t, const num *a) {
  num s = total_num(k, t);
  s = num_add(k, &s, a);
  if (s.nd > t->cap) {
    int16_t *p = realloc(t->heap, (size_t)s.nd * 2 * sizeof *p);
    if (!p) num_fail(k, NULL, NULL);
    t->heap = p;
    t->cap = s.nd * 2;
  }
  if (s.nd) memcpy(t->heap, s.d, (size_t)s.nd * sizeof *s.d);
  t->n = s;
  t->n.d = t->heap;
  t->big = 1;
}

static void count_scale(sqlite3_context *ctx, state *st, int scale, int by) {
  if (scale < SMALL_SCALES) {
    st->scales[scale] += by;
    return;
  }
  scale -= SMALL_SCALES;
  if (scale >= st->nmore) {
    int n = scale + 64;
    int64_t *p = realloc(st->more, (size_t)n * sizeof *p);
    if (!p) {
      sqlite3_result_error_nomem(ctx);
      return;
    }
    memset(p + st->nmore, 0, (size_t)(n - st->nmore) * sizeof *p);
    st->more = p;
    st->nmore = n;
  }
  st->more[scale] += by;
}

static int greatest_scale(const state *st) {
  for (int i = st->nmore - 1; i >= 0; i--)
    if (st->more[i] > 0) return i + SMALL_SCALES;
  for (int i = SMALL_SCALES - 1; i > 0; i--)
    if (st->scales[i] > 0) return i;
  return 0;
}

enum { SUM_INT4, SUM_INT8, SUM_NUM, AVG, VAR_POP, VAR_SAMP, STDDEV_POP, STDDEV_SAMP };

// count takes one value in (by 1) or back out (by −1).
static void count(sqlite3_context *ctx, sqlite3_value *v, int by) {
  if (sqlite3_value_type(v) == SQLITE_NULL) return;
  state *st = sqlite3_aggregate_context(ctx, sizeof *st);
  if (!st) return;
  int squares = lc_arg(ctx) >= VAR_POP;
  __int128 m;
  int scale = 0, small = 1;
  num_small s;
  if (sqlite3_value_type(v) == SQLITE_INTEGER) {
    m = sqlite3_value_int64(v);
  } else if ((small = num_small_arg(v, &s))) {
    m = s.m;
    scale = s.scale;
  }
  st->n += by;
  if (small) {
    st->scales[scale] += by;
    volatile int x = total_small(&st->x, by * m, scale);
    volatile int xx = !squares || total_small(&st->xx, by * m * m, 2 * scale);
    if (x && xx) return;
    CALC_BEGIN(ctx, k);
    num a = num_of_int128(&k, m, scale), b = num_mul(&k, &a, &a);
    if (by < 0) a = num_neg(a), b = num_neg(b);
    if (!x) total_big(&k, &st->x, &a);
    if (!xx) total_big(&k, &st->xx, &b);
    CALC_END(k);
    return;
  }
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, v);
  if (num_special(&a)) {
    *(a.sign == NUM_NAN ? &st->nan : a.sign == NUM_PINF ? &st->pinf : &st->ninf) += by;
  } else {
    count_scale(ctx, st, a.dscale, by);
    num b = squares ? num_mul(&k, &a, &a) : num_zero;
    if (by < 0) a = num_neg(a), b = num_neg(b);
    total_big(&k, &st->x, &a);
    if (squares) total_big(&k, &st->xx, &b);
  }
  CALC_END(k);
}

static void step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  count(ctx, argv[0], 1);
}

static void inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  count(ctx, argv[0], -1);
}

static num variance(calc *k, const state *st, int kind) {
  int sample = kind == VAR_SAMP || kind == STDDEV_SAMP;
  num n = num_of_int(k, st->n), less = num_of_int(k, st->n - 1), x = total_num(k, &st->x), xx = total_num(k, &st->xx);
  x.dscale = greatest_scale(st);
  xx.dscale = 2 * x.dscale;
  x = num_mul(k, &x, &x);
  xx = num_mul(k, &n, &xx);
  xx = num_sub(k, &xx, &x);
  if (num_signum(&xx) <= 0) return num_zero;
  num d = num_mul(k, &n, sample ? &less : &n);
  int scale = num_div_scale(&xx, &d);
  num r = num_div(k, &xx, &d, scale, 1);
  return kind >= STDDEV_POP ? num_sqrt(k, &r, scale) : r;
}

static void value(sqlite3_context *ctx) {
  state *st = sqlite3_aggregate_context(ctx, 0);
  int kind = (int)lc_arg(ctx);
  if (!st || st->n == 0 || ((kind == VAR_SAMP || kind == STDDEV_SAMP) && st->n == 1)) return;
  if (kind == SUM_INT4) {
    if (st->x.big || st->x.v != (int64_t)st->x.v)
      lc_error(ctx, "22003", "bigint out of range");
    else
      sqlite3_result_int64(ctx, (int64_t)st->x.v);
    return;
  }
  CALC_BEGIN(ctx, k);
  num r;
  if (st->nan || st->pinf || st->ninf) {
    r = st->nan || (st->pinf && st->ninf) || kind >= VAR_POP ? num_nan : st->pinf ? num_pinf : num_ninf;
  } else if (kind >= VAR_POP) {
    r = variance(&k, st, kind);
  } else {
    r = total_num(&k, &st->x);
    r.dscale = greatest_scale(st);
    if (kind == AVG) {
      num n = num_of_int(&k, st->n);
      r = num_op_div(&k, &r, &n);
    }
  }
  num_result(ctx, &k, &r);
  CALC_END(k);
}

static void final(sqlite3_context *ctx) {
  value(ctx);
  state *st = sqlite3_aggregate_context(ctx, 0);
  if (!st) return;
  free(st->x.heap);
  free(st->xx.heap);
  free(st->more);
  st->x.heap = st->xx.heap = NULL;
  st->more = NULL;
}

#define AGG(NAME, KIND) {NAME, 1, 1, step, final, value, inverse, KIND}

const lc_agg lc_numeric_aggregates[] = {
    AGG("lc_sumi", SUM_INT4),
    AGG("lc_sum8", SUM_INT8),
    AGG("lc_sumn", SUM_NUM),
    AGG("lc_avgi", AVG),
    AGG("lc_avgn", AVG),
    AGG("lc_var_popn", VAR_POP),
    AGG("lc_var_sampn", VAR_SAMP),
    AGG("lc_stddev_popn", STDDEV_POP),
    AGG("lc_stddev_sampn", STDDEV_SAMP),
    LC_END,
};
