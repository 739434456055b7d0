// The SQL functions on numeric. Their scales and errors are those of src/backend/utils/adt/numeric.c of PostgreSQL 15.
#include <math.h>
#include <string.h>

#include "num.h"

static int max_int(int a, int b) { return a > b ? a : b; }
static int min_int(int a, int b) { return a < b ? a : b; }

static int clamp_scale(int s) { return min_int(max_int(s, 0), NUM_MAX_DISPLAY_SCALE); }

static __int128 scaled(num_small x, int scale) { return (__int128)x.m * num_pow10[scale - x.scale]; }

static void add(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  int minus = (int)lc_arg(ctx);
  num_small x, y;
  if (num_small_arg(argv[0], &x) && num_small_arg(argv[1], &y)) {
    int s = max_int(x.scale, y.scale);
    __int128 a = scaled(x, s), b = scaled(y, s);
    num_small_result(ctx, minus ? a - b : a + b, s);
    return;
  }
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  GIVE(minus ? num_op_sub(&k, &a, &b) : num_op_add(&k, &a, &b));
}

static void mul(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  num_small x, y;
  if (num_small_arg(argv[0], &x) && num_small_arg(argv[1], &y)) {
    num_small_result(ctx, (__int128)x.m * y.m, x.scale + y.scale);
    return;
  }
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  GIVE(num_op_mul(&k, &a, &b));
}

// place_of tells where a small number's first base-10000 digit stands, and what it is.
static int place_of(num_small x, int *first) {
  uint64_t u = (uint64_t)(x.m < 0 ? -x.m : x.m);
  int n = 1;
  while (n < 19 && u >= (uint64_t)num_pow10[n]) n++;
  int exp = n - x.scale, groups = exp > 0 ? (exp + 3) / 4 : -(-exp / 4), head = exp - 4 * (groups - 1);
  *first = (int)(n >= head ? u / (uint64_t)num_pow10[n - head] : u * (uint64_t)num_pow10[head - n]);
  return groups - 1;
}

// divide_small is num_op_div where all fits in 128 bits.
static int divide_small(sqlite3_context *ctx, num_small x, num_small y) {
  if (x.m == 0 || y.m == 0) return 0;
  int first_x, first_y, weight = place_of(x, &first_x) - place_of(y, &first_y);
  if (first_x <= first_y) weight--;
  int scale = max_int(NUM_MIN_SIG_DIGITS - weight * NUM_DIGITS, max_int(x.scale, y.scale));
  int shift = scale + y.scale - x.scale;
  if (scale > 36 || shift < 0 || shift > 36) return 0;
  __int128 up = x.m < 0 ? -x.m : x.m, down = y.m < 0 ? -y.m : y.m;
  for (int p; shift > 0; shift -= p) {
    p = min_int(shift, 18);
    if (__builtin_mul_overflow(up, (__int128)num_pow10[p], &up)) return 0;
  }
  __int128 q = up / down;
  if (up % down * 2 >= down) q++;
  num_small_result(ctx, (x.m < 0) != (y.m < 0) ? -q : q, scale);
  return 1;
}

static void divide(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  num_small x, y;
  if (!lc_arg(ctx) && num_small_arg(argv[0], &x) && num_small_arg(argv[1], &y) && divide_small(ctx, x, y)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  if (lc_arg(ctx) && !num_special(&a) && !num_special(&b) && b.nd) GIVE(num_div(&k, &a, &b, 0, 0));
  GIVE(num_op_div(&k, &a, &b));
}

static void mod(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  if (a.sign == NUM_NAN || b.sign == NUM_NAN) GIVE(num_nan);
  if (num_signum(&b) == 0) num_fail(&k, "22012", "division by zero");
  if (num_is_inf(&a)) GIVE(num_nan);
  if (num_is_inf(&b)) GIVE(a);
  GIVE(num_mod(&k, &a, &b));
}

enum { NEG, ABS, SIGN, CEIL, FLOOR, MINSCALE, TRIMSCALE };

static void unary(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  switch (lc_arg(ctx)) {
    case NEG:
      GIVE(num_neg(a));
    case ABS:
      GIVE(a.sign == NUM_NEG || a.sign == NUM_NINF ? num_neg(a) : a);
    case SIGN:
      if (a.sign == NUM_NAN) GIVE(a);
      GIVE(num_of_int(&k, num_signum(&a)));
    case CEIL:
    case FLOOR: {
      if (num_special(&a)) GIVE(a);
      num t = num_trunc(&k, &a, 0);
      int up = lc_arg(ctx) == CEIL;
      if (num_cmp(&t, &a) != 0 && (a.sign == NUM_POS) == up) t = up ? num_add(&k, &t, &num_one) : num_sub(&k, &t, &num_one);
      GIVE(t);
    }
    default: {
      if (num_special(&a)) {
        if (lc_arg(ctx) == TRIMSCALE) GIVE(a);
        CALC_END(k);
        return;
      }
      int s = 0;
      if (a.nd) {
        s = (a.nd - 1 - a.weight) * NUM_DIGITS;
        for (int d = a.d[a.nd - 1]; s > 0 && d % 10 == 0; d /= 10) s--;
        if (s < 0) s = 0;
      }
      if (lc_arg(ctx) == TRIMSCALE) {
        a.dscale = s;
        GIVE(a);
      }
      sqlite3_result_int64(ctx, s);
      CALC_END(k);
    }
  }
}

static void scale_of(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  if (!num_special(&a)) sqlite3_result_int64(ctx, a.dscale);
  CALC_END(k);
}

// round(x, n) and trunc(x, n)
static void round_or_trunc(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  int64_t n = argc > 1 ? sqlite3_value_int64(argv[1]) : 0;
  int scale = (int)(n < -NUM_MAX_RESULT_SCALE ? -NUM_MAX_RESULT_SCALE : n > NUM_MAX_RESULT_SCALE ? NUM_MAX_RESULT_SCALE : n);
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  if (num_special(&a)) GIVE(a);
  a = lc_arg(ctx) ? num_trunc(&k, &a, scale) : num_round(&k, &a, scale);
  if (a.dscale < 0) a.dscale = 0;
  GIVE(a);
}

static void square_root(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  if (num_signum(&a) < 0) num_fail(&k, "2201F", "cannot take square root of a negative number");
  if (num_special(&a)) GIVE(a);
  int before = a.weight * NUM_DIGITS / 2 + 1;
  GIVE(num_sqrt(&k, &a, clamp_scale(max_int(NUM_MIN_SIG_DIGITS - before, a.dscale))));
}

static void exponential(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  if (num_special(&a)) GIVE(a.sign == NUM_NINF ? num_zero : a);
  double v = num_to_double(&a) * 0.434294481903252;
  v = v < -NUM_MAX_RESULT_SCALE ? -NUM_MAX_RESULT_SCALE : v > NUM_MAX_RESULT_SCALE ? NUM_MAX_RESULT_SCALE : v;
  GIVE(num_exp(&k, &a, clamp_scale(max_int(NUM_MIN_SIG_DIGITS - (int)v, a.dscale))));
}

static void check_log(calc *k, const num *a) {
  if (num_signum(a) < 0) num_fail(k, "2201E", "cannot take logarithm of a negative number");
  if (num_signum(a) == 0) num_fail(k, "2201E", "cannot take logarithm of zero");
}

static void natural_log(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  check_log(&k, &a);
  if (num_special(&a)) GIVE(a);
  GIVE(num_ln(&k, &a, clamp_scale(max_int(NUM_MIN_SIG_DIGITS - num_ln_weight(&k, &a), a.dscale))));
}

static void log_to_base(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num base = argc > 1 ? num_arg(&k, argv[0]) : num_of_int(&k, 10), a = num_arg(&k, argv[argc - 1]);
  if (num_special(&base) || num_special(&a)) {
    if (base.sign == NUM_NAN || a.sign == NUM_NAN) GIVE(num_nan);
    check_log(&k, &base);
    check_log(&k, &a);
    if (base.sign == NUM_PINF) GIVE(a.sign == NUM_PINF ? num_nan : num_zero);
    GIVE(num_pinf);  // a is infinite
  }
  check_log(&k, &base);
  check_log(&k, &a);
  int wb = num_ln_weight(&k, &base), wa = num_ln_weight(&k, &a), w = wa - wb;
  int s = clamp_scale(max_int(NUM_MIN_SIG_DIGITS - w, max_int(base.dscale, a.dscale)));
  num lb = num_ln(&k, &base, max_int(s + w - wb + 8, 0)), la = num_ln(&k, &a, max_int(s + w - wa + 8, 0));
  if (lb.nd == 0) num_fail(&k, "22012", "division by zero");
  GIVE(num_div(&k, &la, &lb, s, 1));
}

static num power_int(calc *k, const num *base, int64_t exp, int rscale) {
  num zero = {NUM_POS, 0, 0, rscale, NULL};
  switch (exp) {
    case 0: {
      num r = num_one;
      r.dscale = rscale;
      return r;
    }
    case 1:
      return num_round(k, base, rscale);
    case -1:
      if (base->nd == 0) num_fail(k, "22012", "division by zero");
      return num_div(k, &num_one, base, rscale, 1);
    case 2:
      return num_mul_round(k, base, base, rscale);
  }
  if (base->nd == 0) {
    if (exp < 0) num_fail(k, "22012", "division by zero");
    return zero;
  }
  double f = base->d[0];
  int p = base->weight * NUM_DIGITS;
  for (int i = 1; i < base->nd && i * NUM_DIGITS < 16; i++) {
    f = f * NUM_BASE + base->d[i];
    p -= NUM_DIGITS;
  }
  f = (double)exp * (log10(f) + p);
  if (f > 3.0 * 32767 * NUM_DIGITS) num_overflow(k);
  if (f + 1 < -rscale || f + 1 < -NUM_MAX_DISPLAY_SCALE) return zero;
  int sig = 1 + rscale + (int)f + (int)log(fabs((double)exp)) + 8;
  int neg = exp < 0;
  uint64_t mask = (uint64_t)(neg ? -exp : exp);
  num prod = *base, r = mask & 1 ? *base : num_one;
  while ((mask >>= 1) > 0) {
    int s = min_int(sig - 2 * prod.weight * NUM_DIGITS, 2 * prod.dscale);
    prod = num_mul_round(k, &prod, &prod, max_int(s, 0));
    if (mask & 1) {
      s = min_int(sig - (prod.weight + r.weight) * NUM_DIGITS, prod.dscale + r.dscale);
      r = num_mul_round(k, &prod, &r, max_int(s, 0));
    }
    if (prod.weight > NUM_WEIGHT_MAX || r.weight > NUM_WEIGHT_MAX) {
      if (!neg) num_overflow(k);
      return zero;
    }
  }
  if (!neg) return num_round(k, &r, rscale);
  if (r.nd == 0) num_fail(k, "22012", "division by zero");
  return num_div(k, &num_one, &r, rscale, 1);
}

static int odd(const num *a) {
  int i = a->weight;  // the digit before the point
  return a->nd > 0 && i >= 0 && i < a->nd && a->d[i] % 2 == 1;
}

static num power_num(calc *k, num base, const num *exp) {
  if (num_integral(exp)) {
    int64_t e;
    if (num_to_int(k, exp, &e) && e >= INT32_MIN && e <= INT32_MAX)
      return power_int(k, &base, e, clamp_scale(max_int(NUM_MIN_SIG_DIGITS, base.dscale)));
  }
  if (base.nd == 0) {
    num r = num_zero;
    r.dscale = NUM_MIN_SIG_DIGITS;
    return r;
  }
  int neg = 0;
  if (base.sign == NUM_NEG) {
    neg = odd(exp);
    base = num_neg(base);
  }
  int w = num_ln_weight(k, &base);
  num l = num_ln(k, &base, max_int(8 - w, 0)), e = num_mul_round(k, &l, exp, max_int(8 - w, 0));
  double v = num_to_double(&e);
  if (fabs(v) > NUM_MAX_RESULT_SCALE * 3.01) {
    if (v > 0) num_overflow(k);
    num r = num_zero;
    r.dscale = NUM_MAX_DISPLAY_SCALE;
    return r;
  }
  v *= 0.434294481903252;
  int s = clamp_scale(max_int(NUM_MIN_SIG_DIGITS - (int)v, max_int(base.dscale, exp->dscale)));
  int local = max_int(s + (int)v - w + 8, 0);
  l = num_ln(k, &base, local);
  e = num_mul_round(k, &l, exp, local);
  num r = num_exp(k, &e, s);
  return neg ? num_neg(r) : r;
}

static num power_special(calc *k, num a, const num *b) {
  if (a.sign == NUM_NAN) return !num_special(b) && b->nd == 0 ? num_one : num_nan;
  if (b->sign == NUM_NAN) return !num_special(&a) && num_cmp(&a, &num_one) == 0 ? num_one : num_nan;
  int sa = num_signum(&a), sb = num_signum(b);
  if (sa == 0 && sb < 0) num_fail(k, "2201F", "zero raised to a negative power is undefined");
  if (sa < 0 && !num_integral(b))
    num_fail(k, "2201F", "a negative number raised to a non-integer power yields a complex result");
  if (!num_special(&a) && num_cmp(&a, &num_one) == 0) return num_one;
  if (sb == 0) return num_one;
  if (sa == 0) return num_zero;
  if (num_is_inf(b)) {
    int great = 1;
    if (!num_special(&a)) {
      if (sa < 0) a = num_neg(a);
      if (num_cmp(&a, &num_one) == 0) return num_one;
      great = num_cmp(&a, &num_one) > 0;
    }
    return great == (sb > 0) ? num_pinf : num_zero;
  }
  if (sb < 0) return num_zero;
  return a.sign == NUM_PINF || !odd(b) ? num_pinf : num_ninf;
}

static void power(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  if (num_special(&a) || num_special(&b)) GIVE(power_special(&k, a, &b));
  if (a.nd == 0 && num_signum(&b) < 0) num_fail(&k, "2201F", "zero raised to a negative power is undefined");
  if (num_signum(&a) < 0 && !num_integral(&b))
    num_fail(&k, "2201F", "a negative number raised to a non-integer power yields a complex result");
  GIVE(power_num(&k, a, &b));
}

// gcd is Euclid's. It may take very many steps, so each one's rest goes into one of three buffers and all else it
// allocated is given back.
static num gcd(calc *k, num a, num b) {
  int scale = max_int(a.dscale, b.dscale);
  size_t room = (size_t)(a.nd + b.nd + (a.weight > b.weight ? a.weight - b.weight : b.weight - a.weight) + 4);
  int16_t *buf[3];
  for (int i = 0; i < 3; i++) buf[i] = num_alloc(k, room * sizeof **buf);
  for (int i = 0; b.nd; i = (i + 1) % 3) {
    num_place m = num_mark(k);
    num r = num_mod(k, &a, &b);
    if (r.nd) memcpy(buf[i], r.d, (size_t)r.nd * sizeof *r.d);
    r.d = buf[i];
    num_release(k, m);
    num_check_interrupt(k);
    a = b;
    b = r;
  }
  if (a.sign == NUM_NEG) a = num_neg(a);
  a.dscale = scale;
  return a;
}

static void gcd_or_lcm(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  if (num_special(&a) || num_special(&b)) GIVE(num_nan);
  if (!lc_arg(ctx)) GIVE(gcd(&k, a, b));
  num r = num_zero;
  if (a.nd && b.nd) {
    num g = gcd(&k, a, b);
    r = num_div(&k, &a, &g, 0, 0);
    r = num_mul(&k, &r, &b);
    if (r.sign == NUM_NEG) r = num_neg(r);
  }
  r.dscale = max_int(a.dscale, b.dscale);
  GIVE(r);
}

static void factorial(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  int64_t n = sqlite3_value_int64(argv[0]);
  CALC_BEGIN(ctx, k);
  if (n < 0) num_fail(&k, "22003", "factorial of a negative number is undefined");
  if (n > 32177) num_overflow(&k);
  // In place: one growing row of digits, multiplied by small factors.
  size_t room = (size_t)n * 5 / 4 + 16;
  int16_t *d = num_alloc(&k, room * sizeof *d);
  size_t used = 1;
  d[room - 1] = 1;
  for (int64_t f = 2; f <= n; f++) {
    int64_t carry = 0;
    for (size_t i = 0; i < used || carry; i++) {
      int64_t x = (i < used ? d[room - 1 - i] * f : 0) + carry;
      d[room - 1 - i] = (int16_t)(x % NUM_BASE);
      carry = x / NUM_BASE;
      if (i >= used) used = i + 1;
    }
  }
  num r = {NUM_POS, (int)used, (int)used - 1, 0, d + room - used};
  while (r.nd > 1 && r.d[r.nd - 1] == 0) r.nd--;
  GIVE(r);
}

static void bucket(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  int64_t count = lc_int4(argv[3]), r;
  CALC_BEGIN(ctx, k);
  num x = num_arg(&k, argv[0]), lo = num_arg(&k, argv[1]), hi = num_arg(&k, argv[2]);
  if (count <= 0) num_fail(&k, "2201G", "count must be greater than zero");
  if (x.sign == NUM_NAN || lo.sign == NUM_NAN || hi.sign == NUM_NAN)
    num_fail(&k, "2201G", "operand, lower bound, and upper bound cannot be NaN");
  if (num_is_inf(&lo) || num_is_inf(&hi)) num_fail(&k, "2201G", "lower and upper bounds must be finite");
  int way = num_cmp(&lo, &hi);
  if (way == 0) num_fail(&k, "2201G", "lower bound cannot equal upper bound");
  if (way < 0 ? num_cmp(&x, &lo) < 0 : num_cmp(&x, &lo) > 0) {
    r = 0;
  } else if (way < 0 ? num_cmp(&x, &hi) >= 0 : num_cmp(&x, &hi) <= 0) {
    r = count + 1;
  } else {
    num n = num_of_int(&k, count), up = num_sub(&k, &x, &lo), width = num_sub(&k, &hi, &lo);
    up = num_mul(&k, &up, &n);
    up = num_div(&k, &up, &width, 0, 0);
    num_to_int(&k, &up, &r);
    r++;
  }
  if (r > INT32_MAX) num_fail(&k, "22003", "integer out of range");
  sqlite3_result_int64(ctx, r);
  CALC_END(k);
}

static void compare(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]), b = num_arg(&k, argv[1]);
  sqlite3_result_int64(ctx, num_cmp(&a, &b));
  CALC_END(k);
}

const lc_def lc_numeric_functions[] = {
    {"lc_nadd", 2, 2, add, 0, 0},
    {"lc_nsub", 2, 2, add, 1, 0},
    {"lc_nmul", 2, 2, mul, 0, 0},
    {"lc_ndiv", 2, 2, divide, 0, 0},
    {"lc_ndivt", 2, 2, divide, 1, 0},
    {"lc_nmod", 2, 2, mod, 0, 0},
    {"lc_nneg", 1, 1, unary, NEG, 0},
    {"lc_nabs", 1, 1, unary, ABS, 0},
    {"lc_nsign", 1, 1, unary, SIGN, 0},
    {"lc_nceil", 1, 1, unary, CEIL, 0},
    {"lc_nfloor", 1, 1, unary, FLOOR, 0},
    {"lc_nminscale", 1, 1, unary, MINSCALE, 0},
    {"lc_ntrimscale", 1, 1, unary, TRIMSCALE, 0},
    {"lc_nscale", 1, 1, scale_of, 0, 0},
    {"lc_nround", 1, 2, round_or_trunc, 0, 0},
    {"lc_ntrunc", 1, 2, round_or_trunc, 1, 0},
    {"lc_nsqrt", 1, 1, square_root, 0, 0},
    {"lc_nexp", 1, 1, exponential, 0, 0},
    {"lc_nln", 1, 1, natural_log, 0, 0},
    {"lc_nlog10", 1, 1, log_to_base, 0, 0},
    {"lc_nlog", 2, 2, log_to_base, 0, 0},
    {"lc_npower", 2, 2, power, 0, 0},
    {"lc_ngcd", 2, 2, gcd_or_lcm, 0, 0},
    {"lc_nlcm", 2, 2, gcd_or_lcm, 1, 0},
    {"lc_nfac", 1, 1, factorial, 0, 0},
    {"lc_nwidth_bucket", 4, 4, bucket, 0, 0},
    {"lc_ncmp", 2, 2, compare, 0, 0},
    LC_END,
};
