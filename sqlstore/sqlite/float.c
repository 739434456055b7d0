// Floating-point arithmetic with PostgreSQL's errors (src/include/utils/float.h). NaN is the TEXT 'NaN', since SQLite
// turns a NaN into NULL.
#include "lc.h"

#include <math.h>

double lc_get_float(sqlite3_value *v) {
  // A TEXT can only be 'NaN' here; the type checker lets nothing else through.
  return sqlite3_value_type(v) == SQLITE_TEXT ? NAN : sqlite3_value_double(v);
}

void lc_result_float(sqlite3_context *ctx, double d) {
  if (d != d)
    sqlite3_result_text64(ctx, "NaN", 3, SQLITE_STATIC, SQLITE_UTF8);
  else
    sqlite3_result_double(ctx, d);
}

static void overflow(sqlite3_context *ctx) { lc_error(ctx, "22003", "value out of range: overflow"); }
static void underflow(sqlite3_context *ctx) { lc_error(ctx, "22003", "value out of range: underflow"); }

#define OPERANDS(T)                  \
  if (lc_null(argc, argv)) return;   \
  T a = (T)lc_get_float(argv[0]), b = (T)lc_get_float(argv[1])

#define ARITHMETIC(T, S)                                                          \
  static void add##S(sqlite3_context *ctx, int argc, sqlite3_value **argv) {      \
    OPERANDS(T);                                                                  \
    T r = a + b;                                                                  \
    if (isinf(r) && !isinf(a) && !isinf(b))                                       \
      overflow(ctx);                                                              \
    else                                                                          \
      lc_result_float(ctx, r);                                                    \
  }                                                                               \
  static void sub##S(sqlite3_context *ctx, int argc, sqlite3_value **argv) {      \
    OPERANDS(T);                                                                  \
    T r = a - b;                                                                  \
    if (isinf(r) && !isinf(a) && !isinf(b))                                       \
      overflow(ctx);                                                              \
    else                                                                          \
      lc_result_float(ctx, r);                                                    \
  }                                                                               \
  static void mul##S(sqlite3_context *ctx, int argc, sqlite3_value **argv) {      \
    OPERANDS(T);                                                                  \
    T r = a * b;                                                                  \
    if (isinf(r) && !isinf(a) && !isinf(b))                                       \
      overflow(ctx);                                                              \
    else if (r == 0 && a != 0 && b != 0)                                          \
      underflow(ctx);                                                             \
    else                                                                          \
      lc_result_float(ctx, r);                                                    \
  }                                                                               \
  static void div##S(sqlite3_context *ctx, int argc, sqlite3_value **argv) {      \
    OPERANDS(T);                                                                  \
    if (b == 0 && !isnan(a)) {                                                    \
      lc_division_by_zero(ctx);                                                   \
      return;                                                                     \
    }                                                                             \
    T r = a / b;                                                                  \
    if (isinf(r) && !isinf(a))                                                    \
      overflow(ctx);                                                              \
    else if (r == 0 && a != 0 && !isinf(b))                                       \
      underflow(ctx);                                                             \
    else                                                                          \
      lc_result_float(ctx, r);                                                    \
  }

ARITHMETIC(double, 8)
ARITHMETIC(float, 4)

static void negate(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  lc_result_float(ctx, -lc_get_float(argv[0]));
}

static void absolute(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  lc_result_float(ctx, fabs(lc_get_float(argv[0])));
}

static void to_float4(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double d = lc_get_float(argv[0]);
  float f = (float)d;
  if (isinf(f) && !isinf(d))
    overflow(ctx);
  else if (f == 0 && d != 0)
    underflow(ctx);
  else
    lc_result_float(ctx, f);
}

static void int_to_float(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  sqlite3_result_double(ctx, (double)sqlite3_value_int64(argv[0]));
}

static void to_int(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  double d = rint(lc_get_float(argv[0]));
  int width = (int)lc_arg(ctx);
  double bound = width == 2 ? 32768.0 : width == 4 ? 2147483648.0 : 9223372036854775808.0;
  if (!(d >= -bound && d < bound))  // NaN too
    lc_error(ctx, "22003", "%s out of range", width == 2 ? "smallint" : width == 4 ? "integer" : "bigint");
  else
    sqlite3_result_int64(ctx, (int64_t)d);
}

const lc_def lc_float_functions[] = {
    {"lc_fadd", 2, 2, add8, 0, 0},
    {"lc_fsub", 2, 2, sub8, 0, 0},
    {"lc_fmul", 2, 2, mul8, 0, 0},
    {"lc_fdiv", 2, 2, div8, 0, 0},
    {"lc_fadd4", 2, 2, add4, 0, 0},
    {"lc_fsub4", 2, 2, sub4, 0, 0},
    {"lc_fmul4", 2, 2, mul4, 0, 0},
    {"lc_fdiv4", 2, 2, div4, 0, 0},
    {"lc_fneg", 1, 1, negate, 0, 0},
    {"lc_fabs", 1, 1, absolute, 0, 0},
    {"lc_f2f4", 1, 1, to_float4, 0, 0},
    {"lc_i2f", 1, 1, int_to_float, 0, 0},
    {"lc_f2i2", 1, 1, to_int, 2, 0},
    {"lc_f2i4", 1, 1, to_int, 4, 0},
    {"lc_f2i8", 1, 1, to_int, 8, 0},
    LC_END,
};
