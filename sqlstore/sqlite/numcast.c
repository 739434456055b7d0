// Conversions of numeric: typmods, text, integers, floats.
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "num.h"

// apply_typmod rounds to numeric(p, s), whose typmod is ((p << 16) | (s & 0x7ff)) + 4.
static void apply_typmod(sqlite3_context *ctx, calc *k, num a, int64_t typmod) {
  if (typmod < 4) {
    num_result(ctx, k, &a);
    return;
  }
  int t = (int)(typmod - 4), precision = t >> 16 & 0xffff, scale = ((t & 0x7ff) ^ 1024) - 1024;
  if (num_is_inf(&a)) {
    lc_error(ctx, "22003", "numeric field overflow\x01" "A field with precision %d, scale %d cannot hold an infinite value.",
             precision, scale);
    return;
  }
  if (!num_special(&a)) {
    a = num_round(k, &a, scale);
    if (a.dscale < 0) a.dscale = 0;
    int most = precision - scale;
    if (a.nd) {
      int first = a.d[0];
      int have = (a.weight + 1) * NUM_DIGITS - (first >= 1000 ? 0 : first >= 100 ? 1 : first >= 10 ? 2 : 3);
      if (have > most) {
        lc_error(ctx, "22003",
                 "numeric field overflow\x01" "A field with precision %d, scale %d must round to an absolute value less than "
                 "%s%d.",
                 precision, scale, most ? "10^" : "", most ? most : 1);
        return;
      }
    }
  }
  num_result(ctx, k, &a);
}

static void typmod(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  apply_typmod(ctx, &k, num_arg(&k, argv[0]), lc_int4(argv[1]));
  CALC_END(k);
}

static void input(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  const char *s = sqlite3_value_blob(argv[0]);
  CALC_BEGIN(ctx, k);
  apply_typmod(ctx, &k, num_of_text(&k, s ? s : "", s ? sqlite3_value_bytes(argv[0]) : 0),
               argc > 1 ? lc_int4(argv[1]) : -1);
  CALC_END(k);
}

static void output(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  lc_buf b = {0};
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  num_to_text(&b, &a);
  if (b.oom) {
    lc_buf_free(&b);
    num_fail(&k, NULL, NULL);
  }
  sqlite3_result_text64(ctx, (const char *)b.p, (sqlite3_uint64)b.len, free, SQLITE_UTF8);
  CALC_END(k);
}

static void from_int(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  num_small_result(ctx, sqlite3_value_int64(argv[0]), 0);
}

static void to_int(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  int width = (int)lc_arg(ctx);
  static const char *const names[9] = {[2] = "smallint", [4] = "integer", [8] = "bigint"};
  int64_t v;
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  if (num_special(&a))
    lc_error(ctx, "0A000", "cannot convert %s to %s", a.sign == NUM_NAN ? "NaN" : "infinity", names[width]);
  else if (!num_to_int(&k, &a, &v) || (width == 4 && v != (int32_t)v) || (width == 2 && v != (int16_t)v))
    lc_error(ctx, "22003", "%s out of range", names[width]);
  else
    sqlite3_result_int64(ctx, v);
  CALC_END(k);
}

static void to_float(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  lc_buf b = {0};
  CALC_BEGIN(ctx, k);
  num a = num_arg(&k, argv[0]);
  if (num_special(&a)) {
    lc_result_float(ctx, num_to_double(&a));
    CALC_END(k);
    return;
  }
  num_to_text(&b, &a);
  lc_buf_byte(&b, 0);
  if (b.oom) {
    lc_buf_free(&b);
    num_fail(&k, NULL, NULL);
  }
  errno = 0;
  int single = lc_arg(ctx) == 4;
  double d = single ? (double)strtof((char *)b.p, NULL) : strtod((char *)b.p, NULL);
  if (errno == ERANGE && (d == 0 || isinf(d)))
    lc_error(ctx, "22003", "\"%s\" is out of range for type %s", (char *)b.p, single ? "real" : "double precision");
  else
    lc_result_float(ctx, d);
  lc_buf_free(&b);
  CALC_END(k);
}

static void from_float(sqlite3_context *ctx, int argc, sqlite3_value **argv) {
  if (lc_null(argc, argv)) return;
  CALC_BEGIN(ctx, k);
  GIVE(num_of_double(&k, lc_get_float(argv[0]), (int)lc_arg(ctx)));
}

const lc_def lc_numeric_casts[] = {
    {"lc_ntypmod", 2, 2, typmod, 0, 0},
    {"lc_nin", 1, 2, input, 0, 0},
    {"lc_nout", 1, 1, output, 0, 0},
    {"lc_i2n", 1, 1, from_int, 0, 0},
    {"lc_n2i2", 1, 1, to_int, 2, 0},
    {"lc_n2i4", 1, 1, to_int, 4, 0},
    {"lc_n2i8", 1, 1, to_int, 8, 0},
    {"lc_n2f", 1, 1, to_float, 8, 0},
    {"lc_n2f4", 1, 1, to_float, 4, 0},
    {"lc_f2n", 1, 1, from_float, 15, 0},
    {"lc_f42n", 1, 1, from_float, 6, 0},
    LC_END,
};
