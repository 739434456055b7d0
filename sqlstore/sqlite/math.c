// Mathematical functions on float8 with PostgreSQL's errors (src/backend/utils/adt/float.c).
#include "lc.h"

#include <errno.h>
#include <math.h>

static void out_of_range(sqlite3_context *ctx) { lc_error(ctx, "22003", "input is out of range"); }

// checked returns r unless it overflowed or became zero although it should not have.
static void checked(sqlite3_context *ctx, double r, int inf_ok, int zero_ok) {
  if (isinf(r) && !inf_ok)
    lc_error(ctx, "22003", "value out of range: overflow");
  else if (r == 0 && !zero_ok)
    lc_error(ctx, "22003", "value out of range: underflow");
  else
    lc_result_float(ctx, r);
}

enum {
  F_CBRT, F_CEIL, F_FLOOR, F_ROUND, F_TRUNC, F_SIGN,
  F_SIN, F_COS, F_TAN, F_COT, F_ASIN, F_ACOS, F_ATAN, F_SINH, F_COSH, F_TANH, F_ASINH, F_ACOSH, F_ATANH,
  F_SIND, F_COSD, F_TAND, F_COTD, F_ASIND, F_ACOSD, F_ATAND, F_DEGREES, F_RADIANS
};

#define RADIANS_PER_DEGREE 0.0174532925199432957692

// The functions in degrees are exact at the points where people look: sind(30) = 0.5, tand(45) = 1.
static double sind_0_to_30(double x) {
  volatile double s = sin(x * RADIANS_PER_DEGREE);
  return (s / sin(30.0 * RADIANS_PER_DEGREE)) / 2.0;
}

static double cosd_0_to_60(double x) {
  volatile double c = 1.0 - cos(x * RADIANS_PER_DEGREE);
  return 1.0 - (c / (1.0 - cos(60.0 * RADIANS_PER_DEGREE))) / 2.0;
}

static double sind_q1(double x) { return x <= 30.0 ? sind_0_to_30(x) : cosd_0_to_60(90.0 - x); }
static double cosd_q1(double x) { return x <= 60.0 ? cosd_0_to_60(x) : sind_0_to_30(90.0 - x); }

static double asind_q1(double x) {
  if (x <= 0.5) return (asin(x) / asin(0.5)) * 30.0;
  return 90.0 - (acos(x) / acos(0.5)) * 60.0;
}

static double acosd_q1(double x) {
  if (x <= 0.5) return 90.0 - (asin(x) / asin(0.5)) * 30.0;
  return (acos(x) / acos(0.5)) * 60.0;
}

static double sind(double x) {
  int sign = 1;
  x = fmod(x, 360.0);
  if (x < 0.0) x = -x, sign = -sign;
  if (x > 180.0) x = 360.0 - x, sign = -sign;
  if (x > 90.0) x = 180.0 - x;
  return sign * sind_q1(x);
}

static double cosd(double x) {
  int sign = 1;
  x = fmod(x, 360.0);
  if (x < 0.0) x = -x;
  if (x > 180.0) x = 360.0 - x;
  if (x > 90.0) x = 180.0 - x, sign = -sign;
  return sign * cosd_q1(x);
}

static double tand_or_cotd(double x, int cot) {
  int sign = 1;
  x = fmod(x, 360.0);
  if (x < 0.0) x = -x, sign = -sign;
  if (x > 180.0) x = 360.0 - x, sign = -sign;
  if (x > 90.0) x = 180.0 - x, sign = -sign;
  double r;
  if (cot)
    r = sign * ((cosd_q1(x) / sind_q1(x)) / (cosd_q1(45.0) / sind_q1(45.0)));
  else
    r = sign * ((sind_q1(x) / cosd_q1(x)) / (sind_q1(45.0) / cosd_q1(45.0)));
  return r == 0.0 ? 0.0 : r;  // no negative zero
}

static void unary(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double x = lc_get_float(argv[0]);
  if (isnan(x)) {
    lc_result_float(ctx, x);
    return;
  }
  int f = (int)lc_arg(ctx);
  switch (f) {
    case F_CBRT:
      checked(ctx, cbrt(x), isinf(x), x == 0);
      return;
    case F_CEIL:
      sqlite3_result_double(ctx, ceil(x));
      return;
    case F_FLOOR:
      sqlite3_result_double(ctx, floor(x));
      return;
    case F_ROUND:
      sqlite3_result_double(ctx, rint(x));
      return;
    case F_TRUNC:
      sqlite3_result_double(ctx, trunc(x));
      return;
    case F_SIGN:
      sqlite3_result_double(ctx, x > 0 ? 1 : x < 0 ? -1 : 0);
      return;
    case F_SIN: case F_COS: case F_TAN: case F_COT: case F_SIND: case F_COSD: case F_TAND: case F_COTD:
      if (isinf(x)) {
        out_of_range(ctx);
        return;
      }
      switch (f) {
        case F_SIN: x = sin(x); break;
        case F_COS: x = cos(x); break;
        case F_TAN: x = tan(x); break;
        case F_COT: x = 1.0 / tan(x); break;
        case F_SIND: x = sind(x); break;
        case F_COSD: x = cosd(x); break;
        case F_TAND: x = tand_or_cotd(x, 0); break;
        default: x = tand_or_cotd(x, 1);
      }
      // tan and cot of a right angle are infinite
      checked(ctx, x, f == F_TAN || f == F_COT || f == F_TAND || f == F_COTD, 1);
      return;
    case F_ASIN: case F_ACOS: case F_ASIND: case F_ACOSD:
      if (x < -1.0 || x > 1.0) {
        out_of_range(ctx);
        return;
      }
      if (f == F_ASIN)
        x = asin(x);
      else if (f == F_ACOS)
        x = acos(x);
      else if (f == F_ASIND)
        x = x >= 0.0 ? asind_q1(x) : -asind_q1(-x);
      else
        x = x >= 0.0 ? acosd_q1(x) : 90.0 + asind_q1(-x);
      sqlite3_result_double(ctx, x);
      return;
    case F_ATAN:
      sqlite3_result_double(ctx, atan(x));
      return;
    case F_ATAND:
      sqlite3_result_double(ctx, (atan(x) / atan(1.0)) * 45.0);
      return;
    case F_SINH:
      sqlite3_result_double(ctx, sinh(x));
      return;
    case F_COSH:
      sqlite3_result_double(ctx, cosh(x));
      return;
    case F_TANH:
      sqlite3_result_double(ctx, tanh(x));
      return;
    case F_ASINH:
      sqlite3_result_double(ctx, asinh(x));
      return;
    case F_ACOSH:
      if (x < 1.0)
        out_of_range(ctx);
      else
        sqlite3_result_double(ctx, acosh(x));
      return;
    case F_ATANH:
      if (x < -1.0 || x > 1.0)
        out_of_range(ctx);
      else
        sqlite3_result_double(ctx, x == -1.0 ? -INFINITY : x == 1.0 ? INFINITY : atanh(x));
      return;
    case F_DEGREES:
      checked(ctx, x / RADIANS_PER_DEGREE, isinf(x), 1);
      return;
    default:
      checked(ctx, x * RADIANS_PER_DEGREE, isinf(x), 1);
  }
}

static void square_root(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double x = lc_get_float(argv[0]);
  if (x < 0)
    lc_error(ctx, "2201F", "cannot take square root of a negative number");
  else
    lc_result_float(ctx, sqrt(x));
}

static void exponential(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double x = lc_get_float(argv[0]);
  checked(ctx, isinf(x) ? (x > 0 ? x : 0) : exp(x), isinf(x), isinf(x));
}

static void logarithm(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double x = lc_get_float(argv[0]);
  if (x == 0)
    lc_error(ctx, "2201E", "cannot take logarithm of zero");
  else if (x < 0)
    lc_error(ctx, "2201E", "cannot take logarithm of a negative number");
  else
    lc_result_float(ctx, lc_arg(ctx) == 10 ? log10(x) : log(x));
}

static void power(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double a = lc_get_float(argv[0]), b = lc_get_float(argv[1]), r;
  if (isnan(a)) {
    lc_result_float(ctx, isnan(b) || b != 0 ? a : 1.0);
    return;
  }
  if (isnan(b)) {
    lc_result_float(ctx, a != 1.0 ? b : 1.0);
    return;
  }
  if (a == 0 && b < 0) {
    lc_error(ctx, "2201F", "zero raised to a negative power is undefined");
    return;
  }
  if (a < 0 && floor(b) != b) {
    lc_error(ctx, "2201F", "a negative number raised to a non-integer power yields a complex result");
    return;
  }
  if (isinf(b)) {
    double x = fabs(a);
    r = x == 1.0 ? 1.0 : b > 0 ? (x > 1.0 ? b : 0.0) : (x > 1.0 ? 0.0 : -b);
    sqlite3_result_double(ctx, r);
    return;
  }
  if (isinf(a)) {
    int odd = b / 2 != floor(b / 2);
    if (b == 0)
      r = 1.0;
    else if (a > 0)
      r = b > 0 ? a : 0.0;
    else
      r = b > 0 ? (odd ? a : -a) : (odd ? -0.0 : 0.0);
    sqlite3_result_double(ctx, r);
    return;
  }
  checked(ctx, pow(a, b), 0, a == 0);
}

static void arc_tangent2(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double y = lc_get_float(argv[0]), x = lc_get_float(argv[1]);
  if (isnan(x) || isnan(y))
    lc_result_float(ctx, NAN);
  else
    sqlite3_result_double(ctx, lc_arg(ctx) ? (atan2(y, x) / atan(1.0)) * 45.0 : atan2(y, x));
}

static void pi(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_double(ctx, 3.14159265358979323846);
}

static void bucket(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double x = lc_get_float(argv[0]), lo = lc_get_float(argv[1]), hi = lc_get_float(argv[2]);
  int64_t count = lc_int4(argv[3]), r;
  if (count <= 0) {
    lc_error(ctx, "2201G", "count must be greater than zero");
    return;
  }
  if (isnan(x) || isnan(lo) || isnan(hi)) {
    lc_error(ctx, "2201G", "operand, lower bound, and upper bound cannot be NaN");
    return;
  }
  if (isinf(lo) || isinf(hi)) {
    lc_error(ctx, "2201G", "lower and upper bounds must be finite");
    return;
  }
  if (lo < hi) {
    if (x < lo)
      r = 0;
    else if (x >= hi)
      r = count + 1;
    else {
      r = isinf(hi - lo) ? (int64_t)((double)count * (x / 2 - lo / 2) / (hi / 2 - lo / 2))
                         : (int64_t)((double)count * ((x - lo) / (hi - lo)));
      if (r >= count) r = count - 1;
      r++;
    }
  } else if (lo > hi) {
    if (x > lo)
      r = 0;
    else if (x <= hi)
      r = count + 1;
    else {
      r = isinf(lo - hi) ? (int64_t)((double)count * (lo / 2 - x / 2) / (lo / 2 - hi / 2))
                         : (int64_t)((double)count * ((lo - x) / (lo - hi)));
      if (r >= count) r = count - 1;
      r++;
    }
  } else {
    lc_error(ctx, "2201G", "lower bound cannot equal upper bound");
    return;
  }
  if (r > INT32_MAX)
    lc_error(ctx, "22003", "integer out of range");
  else
    sqlite3_result_int64(ctx, r);
}

// random: 53 bits of SQLite's generator, which the operating system seeds.
static void random_float(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  uint64_t u;
  sqlite3_randomness(sizeof u, &u);
  sqlite3_result_double(ctx, (double)(u >> 11) / 9007199254740992.0);
}

const lc_def lc_math_functions[] = {
    {"lc_sqrt", 1, 1, square_root, 0, 0},
    {"lc_exp", 1, 1, exponential, 0, 0},
    {"lc_ln", 1, 1, logarithm, 0, 0},
    {"lc_log10", 1, 1, logarithm, 10, 0},
    {"lc_power", 2, 2, power, 0, 0},
    {"lc_atan2", 2, 2, arc_tangent2, 0, 0},
    {"lc_atan2d", 2, 2, arc_tangent2, 1, 0},
    {"lc_pi", 0, 0, pi, 0, 0},
    {"lc_width_bucket", 4, 4, bucket, 0, 0},
    {"lc_random", 0, 0, random_float, 0, 1},
    {"lc_cbrt", 1, 1, unary, F_CBRT, 0},
    {"lc_ceil", 1, 1, unary, F_CEIL, 0},
    {"lc_floor", 1, 1, unary, F_FLOOR, 0},
    {"lc_round", 1, 1, unary, F_ROUND, 0},
    {"lc_trunc", 1, 1, unary, F_TRUNC, 0},
    {"lc_sign", 1, 1, unary, F_SIGN, 0},
    {"lc_sin", 1, 1, unary, F_SIN, 0},
    {"lc_cos", 1, 1, unary, F_COS, 0},
    {"lc_tan", 1, 1, unary, F_TAN, 0},
    {"lc_cot", 1, 1, unary, F_COT, 0},
    {"lc_asin", 1, 1, unary, F_ASIN, 0},
    {"lc_acos", 1, 1, unary, F_ACOS, 0},
    {"lc_atan", 1, 1, unary, F_ATAN, 0},
    {"lc_sinh", 1, 1, unary, F_SINH, 0},
    {"lc_cosh", 1, 1, unary, F_COSH, 0},
    {"lc_tanh", 1, 1, unary, F_TANH, 0},
    {"lc_asinh", 1, 1, unary, F_ASINH, 0},
    {"lc_acosh", 1, 1, unary, F_ACOSH, 0},
    {"lc_atanh", 1, 1, unary, F_ATANH, 0},
    {"lc_sind", 1, 1, unary, F_SIND, 0},
    {"lc_cosd", 1, 1, unary, F_COSD, 0},
    {"lc_tand", 1, 1, unary, F_TAND, 0},
    {"lc_cotd", 1, 1, unary, F_COTD, 0},
    {"lc_asind", 1, 1, unary, F_ASIND, 0},
    {"lc_acosd", 1, 1, unary, F_ACOSD, 0},
    {"lc_atand", 1, 1, unary, F_ATAND, 0},
    {"lc_degrees", 1, 1, unary, F_DEGREES, 0},
    {"lc_radians", 1, 1, unary, F_RADIANS, 0},
    LC_END,
};
