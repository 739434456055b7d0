// Sums, averages, variances and regressions of floats (src/backend/utils/adt/float.c). While rows only come, they are
// accumulated as PostgreSQL does it, so that the last digit agrees. Beside that, sums of twice the precision are kept:
// once a window frame has taken a row back, the result is worked out from them.
#include <math.h>

#include "lc.h"

typedef struct pair {
  double hi, lo;
} pair;

static void pair_add(pair *p, double x) {
  double s = p->hi + x, b = s - p->hi;
  p->lo += (p->hi - (s - b)) + (x - b);
  p->hi = s;
}

static void pair_add_product(pair *p, double x, double y) {
  double hi = x * y;
  pair_add(p, hi);
  pair_add(p, fma(x, y, -hi));
}

static __float128 pair_value(const pair *p) { return (__float128)p->hi + p->lo; }

typedef struct state {
  int64_t n, nan, pinf, ninf;  // n counts them all; the others count rows whose x or y is so
  int back;                    // a row has been taken back
  double sx, sxx, sy, syy, sxy;
  pair x, xx, y, yy, xy;       // finite rows only
} state;

enum {
  SUM8, SUM4, AVG, VAR_POP, VAR_SAMP, STDDEV_POP, STDDEV_SAMP,
  REGR_COUNT, REGR_SXX, REGR_SYY, REGR_SXY, REGR_AVGX, REGR_AVGY, COVAR_POP, COVAR_SAMP, CORR, REGR_R2, REGR_SLOPE, REGR_INTERCEPT
};

static void overflow(sqlite3_context *ctx) { lc_error(ctx, "22003", "value out of range: overflow"); }

static void note(state *st, double x, double y, int by) {
  if (isnan(x) || isnan(y)) {
    st->nan += by;
  } else if (isinf(x) || isinf(y)) {
    *((isinf(x) ? x : y) > 0 ? &st->pinf : &st->ninf) += by;
  } else {
    pair_add(&st->x, by * x);
    pair_add_product(&st->xx, by * x, x);
    pair_add(&st->y, by * y);
    pair_add_product(&st->yy, by * y, y);
    pair_add_product(&st->xy, by * x, y);
  }
}

static void sum_step(sqlite3_context *ctx, state *st, double x) {
  st->n++;
  double r = st->n == 1 ? x : lc_arg(ctx) == SUM4 ? (double)(float)(st->sx + x) : st->sx + x;
  if (isinf(r) && !isinf(st->sx) && !isinf(x)) overflow(ctx);
  st->sx = r;
  if (isnan(x))
    st->nan++;
  else if (isinf(x))
    *(x > 0 ? &st->pinf : &st->ninf) += 1;
  else
    pair_add(&st->x, x);
}

// Youngs and Cramer's way, as float8_accum and float8_regr_accum have it.
static void moments_step(sqlite3_context *ctx, state *st, double x, double y, int two) {
  double n = (double)++st->n, before = n - 1, osx = st->sx, osy = st->sy;
  note(st, x, y, 1);
  st->sx += x;
  st->sy += y;
  if (n == 1) {
    if (!isfinite(x)) st->sxx = st->sxy = NAN;
    if (!isfinite(y)) st->syy = st->sxy = NAN;
    return;
  }
  double dx = x * n - st->sx, dy = y * n - st->sy;
  if (two) {
    double scale = 1.0 / (n * before);
    st->sxx += dx * dx * scale;
    st->syy += dy * dy * scale;
    st->sxy += dx * dy * scale;
  } else {
    st->sxx += dx * dx / (n * before);
  }
  if (!isinf(st->sx) && !isinf(st->sxx) && !isinf(st->sy) && !isinf(st->syy) && !isinf(st->sxy)) return;
  int fx = !isinf(osx) && !isinf(x), fy = !isinf(osy) && !isinf(y);
  if (((isinf(st->sx) || isinf(st->sxx)) && fx) || ((isinf(st->sy) || isinf(st->syy)) && fy) || (isinf(st->sxy) && fx && fy))
    overflow(ctx);
  if (isinf(st->sxx)) st->sxx = NAN;
  if (isinf(st->syy)) st->syy = NAN;
  if (isinf(st->sxy)) st->sxy = NAN;
}

static void step(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  state *st = sqlite3_aggregate_context(ctx, sizeof *st);
  if (!st) return;
  double a = lc_get_float(argv[0]);
  if (argc == 2)
    moments_step(ctx, st, lc_get_float(argv[1]), a, 1);
  else if (lc_arg(ctx) <= SUM4)
    sum_step(ctx, st, a);
  else
    moments_step(ctx, st, a, 0, 0);
}

static void inverse(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  state *st = sqlite3_aggregate_context(ctx, sizeof *st);
  if (!st) return;
  st->n--;
  st->back = 1;
  if (argc == 2)
    note(st, lc_get_float(argv[1]), lc_get_float(argv[0]), -1);
  else
    note(st, lc_get_float(argv[0]), 0, -1);
}

// settle works the moments out of the exact sums.
static void settle(state *st, double *sx, double *sy, double *sxx, double *syy, double *sxy) {
  if (st->nan || (st->pinf && st->ninf)) {
    *sx = *sy = *sxx = *syy = *sxy = NAN;
    return;
  }
  if (st->pinf || st->ninf) {
    *sx = *sy = st->pinf ? INFINITY : -INFINITY;
    *sxx = *syy = *sxy = NAN;
    return;
  }
  __float128 n = st->n, x = pair_value(&st->x), y = pair_value(&st->y);
  __float128 xx = pair_value(&st->xx) - x * x / n, yy = pair_value(&st->yy) - y * y / n, xy = pair_value(&st->xy) - x * y / n;
  // A rest of the size of the rounding errors is none.
  __float128 ex = pair_value(&st->xx) * 1e-28Q, ey = pair_value(&st->yy) * 1e-28Q;
  *sx = (double)x;
  *sy = (double)y;
  *sxx = xx <= ex ? 0 : (double)xx;
  *syy = yy <= ey ? 0 : (double)yy;
  *sxy = (double)xy;
}

static void value(sqlite3_context *ctx) {
  state *st = sqlite3_aggregate_context(ctx, 0);
  int kind = (int)lc_arg(ctx);
  if (kind == REGR_COUNT) {
    sqlite3_result_int64(ctx, st ? st->n : 0);
    return;
  }
  if (!st || st->n == 0) return;
  double n = (double)st->n, sx = st->sx, sy = st->sy, sxx = st->sxx, syy = st->syy, sxy = st->sxy, r;
  if (st->back) settle(st, &sx, &sy, &sxx, &syy, &sxy);
  switch (kind) {
    case SUM8: r = sx; break;
    case SUM4: r = (float)sx; break;
    case AVG: case REGR_AVGX: r = sx / n; break;
    case REGR_AVGY: r = sy / n; break;
    case VAR_POP: r = sxx / n; break;
    case STDDEV_POP: r = sqrt(sxx / n); break;
    case VAR_SAMP:
      if (n < 2) return;
      r = sxx / (n - 1);
      break;
    case STDDEV_SAMP:
      if (n < 2) return;
      r = sqrt(sxx / (n - 1));
      break;
    case REGR_SXX: r = sxx; break;
    case REGR_SYY: r = syy; break;
    case REGR_SXY: r = sxy; break;
    case COVAR_POP: r = sxy / n; break;
    case COVAR_SAMP:
      if (n < 2) return;
      r = sxy / (n - 1);
      break;
    case CORR:
      if (sxx == 0 || syy == 0) return;
      r = sxy / sqrt(sxx * syy);
      break;
    case REGR_R2:
      if (sxx == 0) return;
      r = syy == 0 ? 1 : (sxy * sxy) / (sxx * syy);
      break;
    case REGR_SLOPE:
      if (sxx == 0) return;
      r = sxy / sxx;
      break;
    default:
      if (sxx == 0) return;
      r = (sy - sx * sxy / sxx) / n;
  }
  lc_result_float(ctx, r);
}

#define AGG(NAME, ARGS, KIND) {NAME, ARGS, ARGS, step, value, value, inverse, KIND}

const lc_agg lc_float_aggregates[] = {
    AGG("lc_sumf", 1, SUM8),
    AGG("lc_sumf4", 1, SUM4),
    AGG("lc_avgf", 1, AVG),
    AGG("lc_var_popf", 1, VAR_POP),
    AGG("lc_var_sampf", 1, VAR_SAMP),
    AGG("lc_stddev_popf", 1, STDDEV_POP),
    AGG("lc_stddev_sampf", 1, STDDEV_SAMP),
    AGG("lc_regr_count", 2, REGR_COUNT),
    AGG("lc_regr_sxx", 2, REGR_SXX),
    AGG("lc_regr_syy", 2, REGR_SYY),
    AGG("lc_regr_sxy", 2, REGR_SXY),
    AGG("lc_regr_avgx", 2, REGR_AVGX),
    AGG("lc_regr_avgy", 2, REGR_AVGY),
    AGG("lc_covar_pop", 2, COVAR_POP),
    AGG("lc_covar_samp", 2, COVAR_SAMP),
    AGG("lc_corr", 2, CORR),
    AGG("lc_regr_r2", 2, REGR_R2),
    AGG("lc_regr_slope", 2, REGR_SLOPE),
    AGG("lc_regr_intercept", 2, REGR_INTERCEPT),
    LC_END,
};
